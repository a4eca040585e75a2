// SPDX-License-Identifier: Apache-2.0
// Implements ../random.ts without Node.
import { host } from './host.ts'

export function randomBytes(count: number): Buffer {
  return host.random(count)
}
