// SPDX-License-Identifier: Apache-2.0
// What every command of the runtime gets beside its own options. Types only.
import type { GlobalOptions } from './arguments.ts'

export interface OciContext {
  /** Directory of the state of all containers, absolute. */
  root: string
  global: GlobalOptions
  /** Logs a remark; nothing on stdout or stderr. */
  remark(message: string): void
}
