# install.mk - headers, libraries, the tool and a pkg-config file under $(DESTDIR)$(PREFIX).

DEST = $(DESTDIR)$(PREFIX)

.PHONY: install uninstall
install: $(LIBS) $(PLUGIN) $(TOOL) ## Install under PREFIX (default /usr/local); honours DESTDIR
	install -d $(DEST)/include/braze $(DEST)/lib/pkgconfig $(DEST)/bin
	install -m 644 $(wildcard include/braze/*.h include/braze/*.def) $(DEST)/include/braze
	install -m 644 $(B)/libbraze.a $(DEST)/lib
	install -m 755 $(B)/libbraze.so.$(VERSION) $(PLUGIN) $(DEST)/lib
	ln -sf libbraze.so.$(VERSION) $(DEST)/lib/libbraze.so.$(SOVERSION)
	ln -sf libbraze.so.$(SOVERSION) $(DEST)/lib/libbraze.so
	$(if $(TOOL),install -m 755 $(TOOL) $(DEST)/bin)
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' mk/braze.pc.in > $(DEST)/lib/pkgconfig/braze.pc

uninstall: ## Remove what `make install` put under PREFIX
	rm -rf $(DEST)/include/braze
	rm -f $(DEST)/lib/libbraze.a $(DEST)/lib/libbraze.so* $(DEST)/lib/libbraze-llvm.so \
	      $(DEST)/lib/pkgconfig/braze.pc $(DEST)/bin/braze
