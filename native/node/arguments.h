/* SPDX-License-Identifier: Apache-2.0 */
/* Declares how JavaScript's arguments become values of C, how results go back, and how functions are exported. */
#ifndef HUTCH_ARGUMENTS_H
#define HUTCH_ARGUMENTS_H

#define NAPI_VERSION 8
#include <node_api.h>
#include <stddef.h>

struct exported {
	const char *name;
	napi_callback call;
};

/*
 * Reads one argument for each letter of `types` and returns 0, -EINVAL or -ENAMETOOLONG:
 *
 *   i  int *		u  unsigned int *	d  double *		b  bool *
 *   s  char *, size_t	a text into that buffer
 *   w  char **		NUL-separated words, see take_words(); set to NULL first, and the caller's to free even after an error
 *   B  void **, size_t *	bytes of a typed array
 *   I  int **, size_t *	numbers of an Int32Array
 *   x  void **		an external
 *   v  napi_value *	anything
 */
int read_arguments(napi_env env, napi_callback_info info, const char *types, ...);
char *take_words(napi_env env, napi_value value);
napi_value to_number(napi_env env, double value);
napi_value to_numbers(napi_env env, const int *values, unsigned int count);
void add_functions(napi_env env, napi_value exports, const struct exported *list, size_t count, void *data);

#endif
