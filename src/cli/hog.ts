// SPDX-License-Identifier: Apache-2.0
// hutch hog: hands over to the small native program, which is what contained commands get as `hutch`.
import { spawnSync } from 'node:child_process'
import { constants } from 'node:os'
import { fail } from '../errors.ts'
import { buildDirectory } from '../native.ts'

export function main(args: string[]): number {
  const path = `${buildDirectory}/bin/hutch`
  const { status, signal, error } = spawnSync(path, ['hog', ...args], { stdio: 'inherit' })
  if (error) throw fail('NATIVE_MISSING', { path, why: error.message }, error)
  return signal ? 128 + constants.signals[signal] : (status ?? 125)
}
