// SPDX-License-Identifier: Apache-2.0
// hutch why: what stopped or slowed a process, a group or a run. Status 1 when nothing was found to have done so.
import { fail } from '../errors.ts'
import type { Cause, Explanation } from '../run/why/explanation.ts'
import { why } from '../run/why/why.ts'
import { type FlagTable, formatFlags, parseFlags } from './flags.ts'
import { print } from './output.ts'
import { wantsColor } from './print.ts'

const flags: FlagTable = { json: { help: 'print it as JSON' } }
const usage = 'hutch why [--json] PID|GROUP|REPORT'

export function main(args: string[]): number {
  const { values, rest } = parseFlags(args, flags, true)
  if (values.help) {
    print(
      `Usage: ${usage}\n\n${formatFlags(flags)}\n\nPID: a process, also one that is gone. GROUP: a path from the root (/build/jobs), a name, or a directory;\nalso one that is gone. REPORT: a file that hutch run --report wrote.\n`,
    )
    return 0
  }
  const [target] = rest
  if (target === undefined || rest.length > 1) throw fail('WORDS_MISSING', { usage })
  const explanation = why(target)
  print(
    values.json
      ? `${JSON.stringify(explanation, null, 2)}\n`
      : formatExplanation(explanation, wantsColor(process.stdout)),
  )
  return explanation.causes.some(({ cause }) => cause !== 'none' && cause !== 'not-kernel') ? 0 : 1
}

/** A block for each cause, then what is not known. */
export function formatExplanation({ causes, unknown }: Explanation, color: boolean): string {
  const blocks = causes.map((cause) => formatCause(cause, color))
  const rest = unknown.map((text) => `not known: ${safe(text)}\n`)
  return `${blocks.join('\n')}${rest.length > 0 ? `\n${rest.join('')}` : ''}`
}

function formatCause({ headline, evidence, remedy }: Cause, color: boolean): string {
  const lines = [...evidence, ...(remedy === undefined ? [] : [['remedy', remedy] as [string, string]])]
  const width = Math.max(11, ...lines.map(([label]) => label.length))
  const paint = (code: string, text: string) => (color ? `\x1b[${code}m${text}\x1b[0m` : text)
  const rows = lines.map(([label, text]) => `  ${paint('2', safe(label).padEnd(width))}  ${safe(text)}\n`)
  return `${paint('1', safe(headline))}\n${rows.join('')}`
}

/** A report is a file of anyone's. */
function safe(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`)
}
