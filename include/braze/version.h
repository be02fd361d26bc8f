/* version.h - the version of braze, in one place: the Makefile reads it from here. */
#ifndef BRAZE_VERSION_H
#define BRAZE_VERSION_H

#define BZ_VERSION_MAJOR 0
#define BZ_VERSION_MINOR 1
#define BZ_VERSION_PATCH 0

#endif
