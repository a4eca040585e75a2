/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes the place of functions of libm that the engine offers to JavaScript and hutch does not use.
 * Their tables would be a tenth of the binary. scripts/build/modules.js refuses code that uses them.
 */
#include <math.h>

#define ABSENT(name) double name(double x) { return x - x + NAN; }
#define ABSENT_TWO(name) double name(double x, double y) { return x - x + y - y + NAN; }

ABSENT(acos) ABSENT(acosh) ABSENT(asin) ABSENT(asinh) ABSENT(atan) ABSENT(atanh) ABSENT(cosh) ABSENT(cos) ABSENT(expm1)
ABSENT(sin) ABSENT(sinh) ABSENT(tan) ABSENT(tanh) ABSENT(log1p) ABSENT(cbrt)
ABSENT_TWO(atan2)
