// SPDX-License-Identifier: Apache-2.0
// Keeps the secret path prefix of all requests except that of the page. The cookie is limited to this path, so servers
// on other ports of the host do not receive it.
import type { Session } from '../api-types.ts'

const key = 'base'

/** Stores the path prefix for this page and for later pages from the same port. */
export function keepBase({ base }: Session): void {
  localStorage.setItem(key, base)
}

export function below(path: string): string {
  return `${localStorage.getItem(key) ?? ''}${path}`
}
