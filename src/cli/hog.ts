// SPDX-License-Identifier: Apache-2.0
// hutch hog: becomes the small native program, which is what contained commands get as `hutch`; so the memory that is hogged is all there is.
import { fail } from '../errors.ts'
import { buildDirectory, errnoName, native } from '../native.ts'

export function main(args: string[]): never {
  const path = `${buildDirectory}/bin/hutch`
  const words = [path, 'hog', ...args]
  const [, errno] = native().exec('', words.join('\0'), words.length, 0)
  throw fail('NATIVE_MISSING', { path, why: errnoName(-errno) })
}
