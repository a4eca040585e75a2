// SPDX-License-Identifier: Apache-2.0
// Pages of docs/ that are made from tables of the source. `npx vitest run test/docs -u` writes them.

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { catalogFiles, describeFile } from '../../src/cgroup/controllers/catalog.ts'
import type { EndFiles } from '../../src/cgroup/controllers/entry.ts'
import type { ReportRow } from '../../src/cgroup/controllers/figure.ts'
import {
  allFigures,
  figures,
  legacySource,
  rateRows,
  reportFigures,
  unifiedController,
} from '../../src/cgroup/controllers/figures.ts'
import { memoryStatKeys } from '../../src/cgroup/controllers/memory-stat.ts'
import { codes } from '../../src/errors/errors.ts'
import { libraryRows } from '../../src/options/library.ts'
import { accepted } from '../../src/options/others/accepted.ts'
import { otherTools } from '../../src/options/others/table.ts'
import { sections } from '../../src/options/row.ts'
import { isRepeated, optionRows } from '../../src/options/table.ts'

const cell = (text: string) => text.replaceAll('|', '\\|')

/** docs/options.md: every option of `hutch run` and of the library. */
export function optionsPage(): string {
  const parts = Object.entries(sections).map(([section, title]) => {
    const rows = optionRows
      .filter((row) => row.section === section)
      .map((row) => {
        const flag = `${row.short ? `\`-${row.short}\`, ` : ''}\`--${row.flag}${row.value ? ` ${row.value}` : ''}\``
        const library =
          row.key === undefined
            ? ''
            : `\`${row.kind === 'mount' ? `mounts: [{ ${row.flag} }]` : row.key}\`${row.alias ? `, \`${row.alias}\`` : ''}`
        const file = 'file' in row ? ` Sets \`${row.file}\`.` : ''
        const more = `${isRepeated(row) ? ' Can be repeated.' : ''}${row.default === undefined ? '' : ` Default: ${row.default}.`}`
        return `| ${cell(flag)} | ${cell(library)} | ${cell(row.help)}${file}${cell(more)} |`
      })
    return `## ${title}\n\n| Command line | Library | |\n| --- | --- | --- |\n${rows.join('\n')}\n`
  })
  const own = libraryRows.map(
    ({ key, type, calls, help, ...more }) =>
      `| \`${key}\` | ${cell(`\`${type}\``)} | ${calls.map((call) => `\`${call}\``).join(', ')} | ${cell(help)}${'default' in more ? ` Default: ${cell(more.default)}.` : ''} |`,
  )
  const library = `## Only in the library

These options are about streams and about what a call returns.

| Option | Type | Calls | |
| --- | --- | --- | --- |
${own.join('\n')}
`
  return `# Options of hutch run and of the library

This page is generated from the table of options. \`hutch run --help=all\` and hutch-run(1) say the same.
[Limits and options](limits.md) explains how they work together.

${parts.join('\n')}
${library}`
}

/** docs/options-of-others.md. */
export function othersPage(): string {
  const parts = Object.entries(otherTools).map(
    ([tool, rows]) =>
      `## ${tool}\n\n| ${tool} | hutch run | |\n| --- | --- | --- |\n${rows.map(([options, hutch, note]) => `| ${cell(options)} | ${cell(hutch)} | ${cell(note ?? '')}${note ? ' ' : ''}|`).join('\n')}\n`,
  )
  const names = Object.keys(accepted).map((name) => `\`${name}\``)
  return `# Options of other tools

For each option of docker run, systemd-run, bubblewrap, unshare, nsenter, nsjail, firejail and isolate, these tables show the option of
\`hutch run\` that does the same. bubblewrap, unshare and nsenter also have drop-ins, which take exactly their options: \`hutch bwrap\`,
\`hutch unshare\`, \`hutch nsenter\`. podman run has the options of docker run.

"default" means that hutch does so without an option. "–" means that hutch does not have it; the note says what to use.

\`hutch run\` also accepts options of these tools, if it has one that does the same: ${names.join(', ')}, \`--entrypoint\`, and
\`-v SRC:DST\`. \`--memory-swap\` counts memory and swap, as in Docker. For other options it prints the row of this page.

${parts.join('\n')}`
}

/** src/cgroup/controllers/report-rows.generated.ts: the rows of a run's report alone, so that a start loads no other table. */
export function reportRows(): string {
  const rows = reportFigures.map((figure): ReportRow => {
    const v1 = legacySource(figure)
    return {
      name: figure.report!,
      kind: figure.kind,
      ...(figure.live && { live: true }),
      ...(figure.since && { since: figure.since }),
      controller: unifiedController(figure),
      v2: figure.v2!,
      ...(v1 && 'file' in v1 && { v1 }),
    }
  })
  const text = `// SPDX-License-Identifier: Apache-2.0
// Generated from the tables of figures and files (npx vitest run test/docs -u): what is read for the report of a run.
import type { EndFiles } from './entry.ts'
import type { ReportRow } from './figure.ts'

export const reportRows: readonly ReportRow[] = ${JSON.stringify(rows)}

export const endFiles: EndFiles = ${JSON.stringify(endFiles())}
`
  return formatted(text)
}

/** The files that are read at the end of a failed job, by version. */
function endFiles(): EndFiles {
  const files: { [version in 'v2' | 'v1']: { [file: string]: boolean } } = { v2: {}, v1: {} }
  for (const name of catalogFiles('v2')) {
    const { v1 = [], atEnd = {} } = describeFile(name)!
    if (atEnd.v2) files.v2[name] = atEnd.v2 === 'always'
    // the limit of memory is also part of v1's limit of memory and swap
    if (atEnd.v1) for (const file of v1) files.v1[file] ||= atEnd.v1 === 'always'
  }
  return files
}

/** src/cgroup/controllers/figure-types.generated.ts: the types of samples, rates and usage, so that each member has a name and a comment. */
export function figureTypes(): string {
  const members = (rows: [name: string, type: string, meaning: string][]) =>
    rows.map(([name, type, meaning]) => `/** ${meaning} */\n${name}: ${type}`).join('\n')
  const types = {
    ...{ count: 'number', limit: "number | 'max'", flag: 'boolean', stalls: 'Pressure' },
    devices: '{ readonly [device: string]: DeviceIo }',
  }
  const text = `// SPDX-License-Identifier: Apache-2.0
// Generated from the tables of figures and of memory.stat (npx vitest run test/docs -u): public types.
import type { DeviceIo, Pressure } from './figure.ts'

/** The values of a sample, by name of the figure; undefined if the host does not report a figure. */
export interface FigureValues {
${members(figures.map(({ name, kind, meaning, unit }) => [name, `${types[kind]} | undefined`, inUnit(meaning, kind, unit)]))}
}

/** The rates between two samples. Undefined if one sample lacks the figure, or if the counter was reset. */
export interface RateValues {
${members(rateRows.map(({ name, meaning, by }) => [name, 'number | undefined', `${meaning}.${by === 'sum' ? ' A count.' : ''}`]))}
}

/** What a job used, as counts. A count that this host does not report is absent. */
export interface ReportCounts {
${members(reportFigures.filter(({ kind }) => kind === 'count').map(({ report, meaning, unit }) => [`${report}?`, 'number', inUnit(meaning, 'count', unit)]))}
}

/** Keys of memory.stat. */
export type MemoryStatKey = ${Object.keys(memoryStatKeys)
    .map((key) => `'${key}'`)
    .join(' | ')}
`
  return formatted(text)
}

/** Returns the meaning of a figure, and its unit. */
function inUnit(meaning: string, kind: string, unit: string): string {
  const words = {
    bytes: 'Bytes',
    tasks: 'Number of tasks',
    count: 'A count',
    CPUs: 'Number of CPUs',
    µs: 'Microseconds',
  }
  const named = kind === 'count' || kind === 'limit' ? ` ${words[unit as keyof typeof words]}.` : ''
  return `${meaning}.${named}`
}

/** src/errors/codes.generated.ts: the codes of all errors. */
export function errorCodes(): string {
  return formatted(`// SPDX-License-Identifier: Apache-2.0
// Generated from the table of errors (npx vitest run test/docs -u).

/** A stable code of an error. Codes are never renamed or reused. docs/errors.md explains each. */
export type Code = ${codes()
    .map((code) => `'${code}'`)
    .join(' | ')}
`)
}

/** Returns source text in the form in which Biome writes it. */
function formatted(text: string): string {
  return execFileSync('node_modules/.bin/biome', ['format', '--stdin-file-path=rows.ts'], {
    input: text,
    encoding: 'utf8',
  })
}

/** report.schema.json: its usage has every count of a run's report. */
export function reportSchema(): string {
  const text = readFileSync('report.schema.json', 'utf8')
  const schema = JSON.parse(text)
  const { properties } = schema.properties.usage
  for (const { kind, live, report } of reportFigures)
    if (kind === 'count' && !live) properties[report!] ??= { $ref: '#/definitions/count' }
  const written = `${JSON.stringify(schema, null, 2)}\n`
  return execFileSync('node_modules/.bin/biome', ['format', '--stdin-file-path=report.schema.json'], {
    input: written,
    encoding: 'utf8',
  })
}

/** docs/figures.md: every figure of a group, where it is read and where it appears. */
export function figuresPage(): string {
  const only = reportFigures.filter(({ name }) => !allFigures.some((figure) => figure.name === name))
  const code = (texts: readonly (string | undefined)[]) =>
    texts.flatMap((text) => (text ? [`\`${text}\``] : [])).join(', ')
  const rows = [...allFigures, ...only]
    .filter(({ hidden }) => !hidden)
    .map((figure) => {
      const v1 = legacySource(figure)
      const source = v1 === undefined ? [] : 'file' in v1 ? [[v1.file, v1.key].filter(Boolean).join(' ')] : v1.files
      const places = [
        figure.only ? '' : code([figure.name]),
        code([[figure.v2?.file, figure.v2?.key].filter(Boolean).join(' ')]),
        code(source),
        figure.meaning,
        code([figure.report]),
        code((figure.metrics ?? []).map(({ name }) => name)),
        code((figure.columns ?? []).map(({ title }) => title)),
      ]
      return `| ${places.map(cell).join(' | ')} |`
    })
  const rates = rateRows.map(
    ({ name, figure, meaning, column }) =>
      `| \`${name}\` | \`${figure.name}\` | ${meaning} | ${code([column?.title])} |`,
  )
  return `# Figures of a group

This page is generated from the table of figures. \`openSampler()\`, \`hutch stats --json\` and recordings use the names of the first column.
A figure that the host does not give is absent, never 0. Each figure counts the group and its descendants.

| Sample | cgroup v2 | cgroup v1 | Meaning | Run's report | Metrics | hutch top |
| --- | --- | --- | --- | --- | --- | --- |
${rows.join('\n')}

## Rates

\`rates()\` and \`hutch stats --json\` give these rates between two samples.

| Rate | Figure | Meaning | hutch top |
| --- | --- | --- | --- |
${rates.join('\n')}
`
}
