# install.mk - headers, libraries, the tool and a pkg-config file under $(DESTDIR)$(PREFIX).

DEST = $(DESTDIR)$(PREFIX)

# What is installed knows PREFIX/lib (src/codegen/places.c), wherever the program lies that was linked with it; what lies under
# build/ does not, and is left as it is.
INSTALLED = $(B)/install
$(INSTALLED)/.prefix: FORCE
	@mkdir -p $(@D) && echo '$(PREFIX)' | cmp -s - $@ || echo '$(PREFIX)' > $@

$(INSTALLED)/places.o: src/codegen/places.c $(INSTALLED)/.prefix $(B)/libbraze.a
	$(call quiet,CC )$(CC) $(CPPFLAGS) $(WARN) $(ALL_CFLAGS) -DBZ_LIBRARY_DIRECTORY='"$(PREFIX)/lib"' -c $< -o $@

$(INSTALLED)/libbraze.a: $(INSTALLED)/places.o $(B)/libbraze.a
	@cp $(B)/libbraze.a $@
	$(call quiet,AR )ar rs $@ $<

$(INSTALLED)/libbraze.so.$(VERSION): $(INSTALLED)/places.o $(LIB_OBJ)
	$(call link_shared,$< $(filter-out %/codegen/places.o,$(LIB_OBJ)))

$(INSTALLED)/braze: $(call obj,$(TOOL_SRC)) $(INSTALLED)/libbraze.a
	$(call quiet,LD )$(CC) $(ALL_CFLAGS) $^ $(LDLIBS) -o $@

.PHONY: install uninstall
install: $(INSTALLED)/libbraze.a $(INSTALLED)/libbraze.so.$(VERSION) $(PLUGIN) $(if $(TOOL),$(INSTALLED)/braze) ## Install under PREFIX (default /usr/local); honours DESTDIR
	install -d $(DEST)/include/braze $(DEST)/lib/pkgconfig $(DEST)/bin
	install -m 644 $(wildcard include/braze/*.h include/braze/*.def) $(DEST)/include/braze
	install -m 644 $(INSTALLED)/libbraze.a $(DEST)/lib
	install -m 755 $(INSTALLED)/libbraze.so.$(VERSION) $(PLUGIN) $(DEST)/lib
	ln -sf libbraze.so.$(VERSION) $(DEST)/lib/libbraze.so.$(SOVERSION)
	ln -sf libbraze.so.$(SOVERSION) $(DEST)/lib/libbraze.so
	$(if $(TOOL),install -m 755 $(INSTALLED)/braze $(DEST)/bin)
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' mk/braze.pc.in > $(DEST)/lib/pkgconfig/braze.pc

uninstall: ## Remove what `make install` put under PREFIX
	rm -rf $(DEST)/include/braze
	rm -f $(DEST)/lib/libbraze.a $(DEST)/lib/libbraze.so* $(DEST)/lib/libbraze-llvm.so \
	      $(DEST)/lib/pkgconfig/braze.pc $(DEST)/bin/braze
