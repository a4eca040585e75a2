/* SPDX-License-Identifier: Apache-2.0 */
/* Loads the addon into a process with musl, whose linker has to find every function: Node-API's are in stubs.c, which the test makes. */
#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	void *addon = argc == 2 ? dlopen(argv[1], RTLD_NOW) : NULL;

	puts(addon && dlsym(addon, "napi_register_module_v1") ? "loaded" : dlerror());
	return addon == NULL;
}
