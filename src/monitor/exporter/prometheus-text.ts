// SPDX-License-Identifier: Apache-2.0
// Formats metrics as text for Prometheus (text format 0.0.4), and as OpenMetrics 1.0. Pure.
import { escapeText } from '../../text/quote.ts'
import type { MetricFamily, Point } from './metrics.ts'

export const contentTypes = {
  prometheus: 'text/plain; version=0.0.4; charset=utf-8',
  openMetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
} as const

export type TextFormat = keyof typeof contentTypes

/** Returns the text format that an Accept header prefers. The default is Prometheus' own format. */
export function chooseFormat(accept: string | undefined): TextFormat {
  const open = Math.max(
    ...(['', '0.0.1', '1.0.0'] as const).map((version) => weigh(accept, 'application/openmetrics-text', version)),
  )
  return open > 0 && open >= weigh(accept, 'text/plain') ? 'openMetrics' : 'prometheus'
}

/** Returns true if an Accept-Encoding header accepts gzip. */
export function takesGzip(header: string | undefined): boolean {
  return weigh(header, 'gzip') > 0
}

/**
 * Returns the quality value q (RFC 9110, 12.4.2) of a media type or encoding in a header. With `version`, only an entry
 * with that version counts. Returns 0 if the header lacks it.
 */
function weigh(header: string | undefined, word: string, version?: string): number {
  const weights = (header ?? '').split(',').map((part) => {
    const [name, ...rest] = part.split(';').map((piece) =>
      piece
        .trim()
        .toLowerCase()
        .replace(/\s*=\s*/, '='),
    )
    const read = (key: string) => rest.find((piece) => piece.startsWith(`${key}=`))?.slice(key.length + 1)
    if (name !== word || (version !== undefined && version !== (read('version') ?? '').replaceAll('"', ''))) return 0
    const q = Number(read('q') ?? 1)
    return q >= 0 && q <= 1 ? q : 0
  })
  return Math.max(...weights)
}

/**
 * Formats metrics as text. OpenMetrics differs: a counter's family name has no _total, units are stated, and an end
 * marker follows.
 */
export function formatMetrics(families: readonly MetricFamily[], format: TextFormat): string {
  const open = format === 'openMetrics'
  // points of one group share their labels object, so format it only once
  const known = new Map<Point['labels'], string>()
  const textOf = (labels: Point['labels']) => {
    const before = known.get(labels)
    if (before !== undefined) return before
    const text = formatLabels(labels)
    known.set(labels, text)
    return text
  }
  const lines = families.flatMap(({ name, kind, help, points }) => {
    const family = open && kind === 'counter' ? name.replace(/_total$/, '') : name
    const unit = /_(seconds|bytes)$/.exec(family)?.[1]
    return [
      `# HELP ${family} ${escapeHelp(help)}`,
      `# TYPE ${family} ${kind}`,
      ...(open && unit ? [`# UNIT ${family} ${unit}`] : []),
      ...points.map(({ labels, value }) => `${name}${textOf(labels)} ${value}`),
    ]
  })
  return [...lines, ...(open ? ['# EOF'] : []), ''].join('\n')
}

function formatLabels(labels: Point['labels']): string {
  const words = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(text)}"`)
  return words.length > 0 ? `{${words.join(',')}}` : ''
}

/**
 * Escapes a label's value, which another user may have chosen: it must not end the quotes or the line, or control a
 * terminal. Readers restore only the newlines.
 */
function escapeLabel(text: string): string {
  const lines = text.split('\n').map((line) => escapeText(line).replaceAll('\t', '\\x09'))
  return lines.join('\n').replace(/[\\"\n]/g, (c) => (c === '\n' ? '\\n' : `\\${c}`))
}

function escapeHelp(text: string): string {
  return text.replace(/[\\\n]/g, (c) => (c === '\n' ? '\\n' : '\\\\'))
}
