// SPDX-License-Identifier: Apache-2.0
// Finds the home directory of a container's user. Pure.

/** Returns the environment with HOME, if it is absent or empty. `passwd` is the text of the container's /etc/passwd. */
export function addHome<T>(env: { [name: string]: T | string }, passwd: string, uid: number) {
  if (env.HOME) return env
  const entry = passwd
    .split('\n')
    .map((line) => line.split(':'))
    .find((fields) => fields.length > 5 && fields[2] === String(uid))
  return { ...env, HOME: entry?.[5] || '/' }
}
