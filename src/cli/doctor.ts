// SPDX-License-Identifier: Apache-2.0
// hutch doctor: what this host has, then what real starts do here, one finding a line with its remedy. Status 1 when something
// is missing.
import { type Finding, inspectHost } from '../host/doctor.ts'
import { readHost } from '../host/host.ts'
import { formatJson } from '../quote.ts'
import { findSystemdPlace, inspectSystemd } from '../systemd/doctor.ts'
import { tryStarts } from './doctor-starts.ts'
import { type FlagTable, formatFlags, parseFlags } from './flags.ts'
import { print } from './output.ts'
import { wantsColor } from './print.ts'
import { tell } from './stderr.ts'

const flags: FlagTable = { json: { help: 'print the findings as JSON' } }

export async function main(args: string[]): Promise<number> {
  const { values, rest } = parseFlags(args, flags)
  if (values.help || rest.length > 0) {
    ;(values.help ? print : tell)(`Usage: hutch doctor [OPTIONS]\n\n${formatFlags(flags)}\n`)
    return values.help ? 0 : 125
  }
  const host = readHost()
  const place = findSystemdPlace(host)
  const systemd = await inspectSystemd(host)
  const findings = inspectHost(place === undefined ? host : { ...host, home: place }).flatMap((finding) =>
    finding.title === 'delegation' ? [...systemd, ...(place === undefined ? [finding] : [])] : [finding],
  )
  findings.push(...(await tryStarts()))
  print(
    values.json
      ? `${formatJson(findings, 2)}\n`
      : findings.map((finding) => format(finding, wantsColor(process.stdout))).join(''),
  )
  return findings.some((finding) => finding.state === 'missing') ? 1 : 0
}

function format({ title, state, found, remedy }: Finding, color: boolean): string {
  const paint = { ok: '32', note: '33', missing: '31' }[state]
  const word = color ? `\x1b[${paint}m${state.padEnd(7)}\x1b[0m` : state.padEnd(7)
  return `${title.padEnd(12)} ${word}  ${found}\n${remedy ? `${' '.repeat(22)}remedy: ${remedy}\n` : ''}`
}
