// SPDX-License-Identifier: Apache-2.0
// The base path of all requests except the page. The cookie is limited to it, so servers on other ports of the host do not receive it.
import type { Session } from '../api-types.ts'

const key = 'base'

/** Stores the base path for this and later pages of the same port. */
export function keepBase({ base }: Session): void {
  localStorage.setItem(key, base)
}

export function below(path: string): string {
  return `${localStorage.getItem(key) ?? ''}${path}`
}
