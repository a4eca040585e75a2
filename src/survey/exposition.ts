// SPDX-License-Identifier: Apache-2.0
// Metrics as text that Prometheus scrapes (text format 0.0.4), and as OpenMetrics 1.0: pure.
import type { Family, Point } from './metrics.ts'

export const contentTypes = {
  prometheus: 'text/plain; version=0.0.4; charset=utf-8',
  openMetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
} as const

/** In OpenMetrics the name of a counter's family lacks the _total that its points have, and the end is marked. */
export function formatMetrics(families: readonly Family[], format: keyof typeof contentTypes): string {
  const open = format === 'openMetrics'
  const lines = families.flatMap(({ name, kind, help, points }) => {
    const family = open && kind === 'counter' ? name.replace(/_total$/, '') : name
    return [
      `# HELP ${family} ${escapeHelp(help)}`,
      `# TYPE ${family} ${kind}`,
      ...points.map((point) => formatPoint(name, point)),
    ]
  })
  return [...lines, ...(open ? ['# EOF'] : []), ''].join('\n')
}

function formatPoint(name: string, { labels, value }: Point): string {
  const words = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(text)}"`)
  return `${name}${words.length > 0 ? `{${words.join(',')}}` : ''} ${value}`
}

/** What others chose: it can end neither the quotes nor the line. */
function escapeLabel(text: string): string {
  return text.replace(/[\\"\n]/g, (c) => (c === '\n' ? '\\n' : `\\${c}`))
}

function escapeHelp(text: string): string {
  return text.replace(/[\\\n]/g, (c) => (c === '\n' ? '\\n' : '\\\\'))
}
