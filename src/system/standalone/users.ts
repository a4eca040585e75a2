// SPDX-License-Identifier: Apache-2.0
// Implements ../users.ts without Node.
import { readFileSync } from './files.ts'

/** Returns the directory of HOME, or that of the caller's entry in /etc/passwd. */
export function homedir(): string {
  if (process.env.HOME) return process.env.HOME
  try {
    const uid = String(process.getuid?.())
    const entry = readFileSync('/etc/passwd', 'utf8')
      .split('\n')
      .map((line) => line.split(':'))
      .find((fields) => fields[2] === uid)
    return entry?.[5] || '/'
  } catch {
    return '/'
  }
}
