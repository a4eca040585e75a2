// SPDX-License-Identifier: Apache-2.0
// Implements ../terminals.ts without Node.
import { host } from './host.ts'

export function isatty(fd: number): boolean {
  return host.isTerminal(fd)
}

/** The size of a terminal. */
export class WriteStream {
  readonly columns: number | undefined
  readonly rows: number | undefined

  constructor(fd: number) {
    const size = host.windowSize(fd)
    this.columns = size?.[0]
    this.rows = size?.[1]
  }
}
