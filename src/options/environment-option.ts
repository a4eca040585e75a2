// SPDX-License-Identifier: Apache-2.0
// Checks the option `env`: each name and value must be valid for execve(2). Called by options.ts; pure.
import { fail } from '../errors/errors.ts'

/** Returns the changes to the caller's environment. A variable whose value is undefined is removed. @throws OPTION_INVALID */
export function parseEnvironment(
  env: { [name: string]: string | undefined },
  name: string,
): { [name: string]: string | undefined } {
  if (typeof env !== 'object' || env === null)
    throw fail('OPTION_INVALID', { name, value: env, why: 'not an object', accepted: 'an object' })
  for (const [key, value] of Object.entries(env)) {
    if (key === '' || /[=\0]/.test(key))
      throw fail('OPTION_INVALID', {
        name,
        value: key,
        why: 'this cannot be the name of a variable',
        accepted: 'NAME=VALUE',
      })
    if (value !== undefined && (typeof value !== 'string' || value.includes('\0')))
      throw fail('OPTION_INVALID', {
        name: `${name} ${key}`,
        value,
        why: 'a value is a string without NUL',
        accepted: 'NAME=VALUE',
      })
  }
  return env
}
