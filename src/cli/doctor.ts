// SPDX-License-Identifier: Apache-2.0
// hutch doctor: prints what this host has and whether real starts work, one finding per line with its remedy. Exit status 1 if something is
// missing.
import { type Finding, inspectHost } from '../host/doctor.ts'
import { readHost } from '../host/host.ts'
import { commandLineNames } from '../options/names.ts'
import { print } from '../system/stdout.ts'
import { findSystemdParent, inspectSystemd } from '../systemd/doctor.ts'
import { paint } from '../text/paint.ts'
import { formatJson } from '../text/quote.ts'
import { wantsColor } from '../verdict/format-result.ts'
import type { Command } from './command.ts'
import { tryStarts } from './doctor-starts.ts'
import type { FlagTable, Parsed } from './flags.ts'

const flags: FlagTable = { json: { help: 'Print the findings as JSON.' } }

export const command: Command = {
  words: '',
  details: 'Prints the findings about this host, one on each line, with a remedy for each missing feature.',
  flags,
  maxWords: 0,
  statuses: [
    ['0', 'nothing is missing'],
    ['1', 'something is missing'],
  ],
  main,
}

async function main({ values }: Parsed): Promise<number> {
  const host = readHost()
  const place = findSystemdParent(host)
  const systemd = await inspectSystemd(host, commandLineNames)
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
  const style = ({ ok: 'green', note: 'yellow', missing: 'red' } as const)[state]
  const word = paint(style, state.padEnd(7), color)
  return `${title.padEnd(12)} ${word}  ${found}\n${remedy ? `${' '.repeat(22)}remedy: ${remedy}\n` : ''}`
}
