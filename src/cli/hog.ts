// SPDX-License-Identifier: Apache-2.0
// hutch hog: becomes the small native program, which is what contained commands get as `hutch`; so the memory that is hogged is all there is.
import { getSystemErrorName } from 'node:util'
import { fail } from '../errors.ts'
import { buildDirectory, native } from '../native.ts'

export function main(args: string[]): never {
  const path = `${buildDirectory}/bin/hutch`
  const words = [path, 'hog', ...args]
  const [, errno] = native().exec('', words.join('\0'), words.length)
  throw fail('NATIVE_MISSING', { path, why: getSystemErrorName(-errno) })
}
