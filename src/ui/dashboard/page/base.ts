// SPDX-License-Identifier: Apache-2.0
// Where all but the page itself is asked for: the cookie is sent to this path alone, so that no server at another port of the same host gets it.
import type { Session } from '../api-types.ts'

const key = 'base'

/** For this page and those that are opened later: only those of the same port see it. */
export function keepBase({ base }: Session): void {
  localStorage.setItem(key, base)
}

export function below(path: string): string {
  return `${localStorage.getItem(key) ?? ''}${path}`
}
