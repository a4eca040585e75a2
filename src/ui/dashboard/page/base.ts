// SPDX-License-Identifier: Apache-2.0
// The path of all requests except the page itself. The cookie is sent only to this path, so that a server at another port of the host does
// not get it.
import type { Session } from '../api-types.ts'

const key = 'base'

/** For this page and those that are opened later: only those of the same port see it. */
export function keepBase({ base }: Session): void {
  localStorage.setItem(key, base)
}

export function below(path: string): string {
  return `${localStorage.getItem(key) ?? ''}${path}`
}
