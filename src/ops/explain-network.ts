// SPDX-License-Identifier: Apache-2.0
// The words and shell lines of ops that a job's network needs. Pure.
import type { Op } from './ops.ts'

export function explainNetwork(op: Extract<Op, { op: 'awaitNetwork' | 'attachText' }>): {
  words: string
  shell: string
} {
  switch (op.op) {
    case 'awaitNetwork':
      return { words: 'wait until its network namespace is connected', shell: `${op.by} &` }
    case 'attachText':
      return {
        words: `put its own read-only text at ${op.target}, if the path exists`,
        shell: `printf '%s' ${quoted(op.text)} > $FILE; mount --bind $FILE $ROOT${op.target}; mount -o remount,bind,ro $ROOT${op.target}`,
      }
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
