# install.mk - headers, libraries, the tool and a pkg-config file under $(DESTDIR)$(PREFIX).
#
# Programs that link through pkg-config run without ldconfig and without a variable: braze.pc names PREFIX/lib for the loader,
# too, unless that is /usr/lib, where it looks anyway.

# What is installed knows PREFIX/lib (src/codegen/places.c), wherever the program lies that was linked with it; what lies under
# build/ does not, and is left as it is.
INSTALLED = $(B)/install
$(INSTALLED)/.prefix: FORCE
	@case $$PREFIX in /*) ;; *) echo "PREFIX must be an absolute path" >&2; exit 2 ;; esac
	@mkdir -p $(@D) && echo "$$PREFIX" | cmp -s - $@ || echo "$$PREFIX" > $@

$(INSTALLED)/places.o: src/codegen/places.c $(INSTALLED)/.prefix $(B)/libbraze.a
	$(call quiet,CC )$(CC) $(CPPFLAGS) $(WARN) $(ALL_CFLAGS) -DBZ_LIBRARY_DIRECTORY="\"$$PREFIX/lib\"" -c $< -o $@

$(INSTALLED)/libbraze.a: $(INSTALLED)/places.o $(B)/libbraze.a
	@cp $(B)/libbraze.a $@
	$(call quiet,AR )ar rs $@ $<

$(INSTALLED)/libbraze.so.$(VERSION): $(INSTALLED)/places.o $(LIB_OBJ)
	$(call link_shared,$< $(filter-out %/codegen/places.o,$(LIB_OBJ)))

$(INSTALLED)/braze: $(call obj,$(TOOL_SRC)) $(INSTALLED)/libbraze.a
	$(call quiet,LD )$(CC) $(ALL_CFLAGS) $^ $(LDLIBS) -o $@

# The shell reads both from the environment: any character may be in them.
export PREFIX DESTDIR
to = "$$DESTDIR$$PREFIX/$(1)"
no_rpath = s| -Wl,-rpath[^ ]*||

.PHONY: install uninstall
install: $(INSTALLED)/libbraze.a $(INSTALLED)/libbraze.so.$(VERSION) $(PLUGIN) $(if $(TOOL),$(INSTALLED)/braze) ## Install under PREFIX (default /usr/local); honours DESTDIR
	install -d $(call to,include/braze) $(call to,lib/pkgconfig) $(call to,bin)
	install -m 644 $(wildcard include/braze/*.h include/braze/*.def) $(call to,include/braze)
	install -m 644 $(INSTALLED)/libbraze.a $(call to,lib)
	install -m 755 $(INSTALLED)/libbraze.so.$(VERSION) $(PLUGIN) $(call to,lib)
	ln -sf libbraze.so.$(VERSION) $(call to,lib/libbraze.so.$(SOVERSION))
	ln -sf libbraze.so.$(SOVERSION) $(call to,lib/libbraze.so)
	$(if $(TOOL),install -m 755 $(INSTALLED)/braze $(call to,bin))
	prefix=$$(printf %s "$$PREFIX" | sed 's/[ "\\]/\\&/g; s/[&|\\]/\\&/g') && \
	 sed -e "s|@PREFIX@|$$prefix|" -e 's|@VERSION@|$(VERSION)|' $(if $(filter /usr,$(PREFIX)),-e '$(no_rpath)') \
	     mk/braze.pc.in > $(call to,lib/pkgconfig/braze.pc)
	@[ -n "$$DESTDIR" ] || case $$PREFIX in /usr | /usr/local) ldconfig 2>/dev/null || true ;; esac
	@case $$PREFIX in /usr | /usr/local) path= ;; *) path="PKG_CONFIG_PATH='$$PREFIX/lib/pkgconfig' " ;; esac; \
	 echo "braze is installed: cc program.c \$$($${path}pkg-config --cflags --libs braze)"

uninstall: ## Remove what `make install` put under PREFIX
	rm -rf $(call to,include/braze)
	rm -f $(call to,lib/libbraze.a) $(call to,lib/libbraze.so)* $(call to,lib/libbraze-llvm.so) \
	      $(call to,lib/pkgconfig/braze.pc) $(call to,bin/braze)
