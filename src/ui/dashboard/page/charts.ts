// SPDX-License-Identifier: Apache-2.0
// Draws a group's figures over the last ten minutes, with limits as dashed lines and events as markers.
import uPlot from 'uplot'
import { type GroupRow, type Mark, type Past, type Track, tracks } from '../api-types.ts'
import { find, make, setText } from './dom.ts'
import { formatCount, formatCpus, formatShare, formatSize } from './format.ts'

const kept = 600
const height = 128

/** Possible steps between ticks on an axis of bytes: powers of 2. */
const binarySteps = Array.from({ length: 50 }, (_, i) => 2 ** i)

type Format = (value: number | null | undefined) => string

interface Kind {
  title: string
  lines: { track: Track; label: string; color: string; dashed?: true; filled?: true }[]
  marks: Mark['kind'][]
  format: Format
  /** Minimum value at the upper end of the axis. */
  minRange: number
}

const kinds: Kind[] = [
  {
    title: 'CPU',
    lines: [
      { track: 'cpus', label: 'used', color: 'blue', filled: true },
      { track: 'cpuMax', label: 'limit', color: 'quiet', dashed: true },
    ],
    marks: ['throttled', 'oom'],
    format: formatCpus,
    minRange: 0.1,
  },
  {
    title: 'Memory',
    lines: [
      { track: 'memory', label: 'used', color: 'blue', filled: true },
      { track: 'memoryMax', label: 'limit', color: 'quiet', dashed: true },
    ],
    marks: ['oom'],
    format: formatSize,
    minRange: 1 << 20,
  },
  {
    title: 'Pressure',
    lines: [
      { track: 'cpuStalled', label: 'CPU', color: 'blue' },
      { track: 'memoryStalled', label: 'memory', color: 'red' },
      { track: 'ioStalled', label: 'I/O', color: 'green' },
    ],
    marks: ['oom'],
    format: formatShare,
    minRange: 0.05,
  },
  {
    title: 'Throttling',
    lines: [{ track: 'throttled', label: 'periods', color: 'amber', filled: true }],
    marks: ['throttled'],
    format: formatShare,
    minRange: 1,
  },
  {
    title: 'Tasks',
    lines: [
      { track: 'pids', label: 'there', color: 'violet', filled: true },
      { track: 'pidsMax', label: 'limit', color: 'quiet', dashed: true },
    ],
    marks: ['refused'],
    format: formatCount,
    minRange: 4,
  },
  {
    title: 'Block I/O',
    lines: [
      { track: 'readBytes', label: 'read/s', color: 'green' },
      { track: 'writtenBytes', label: 'written/s', color: 'amber' },
    ],
    marks: [],
    format: formatSize,
    minRange: 1024,
  },
]

const markColors: { [kind in Mark['kind']]: string } = { oom: 'red', refused: 'violet', throttled: 'amber' }

export interface Charts {
  /** Shows another group. */
  show(past: Past | undefined): void
  add(time: number, row: GroupRow | undefined): void
  draw(marks: readonly Mark[]): void
}

export function makeCharts(): Charts {
  const place = find('charts')
  let times: number[] = []
  let figures = emptyFigures()
  let marks: readonly Mark[] = []
  const charts = kinds.map((kind) => makeChart(kind, place, () => marks))
  // a canvas must be drawn again, because it does not follow style changes
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
    for (const chart of charts) chart.renew(times, figures)
  })
  new ResizeObserver(() => {
    for (const chart of charts) chart.resize()
  }).observe(place)
  return {
    show(past) {
      times = past?.times ?? []
      figures = past?.tracks ?? emptyFigures()
      for (const chart of charts) chart.draw(times, figures)
    },
    add(time, row) {
      // leave out early samples, which come less than a second after the last
      if (time / 1000 - (times.at(-1) ?? 0) < 0.9) return
      times.push(time / 1000)
      for (const track of tracks) {
        const value = row?.[track]
        figures[track].push(typeof value === 'number' ? value : null)
      }
      if (times.length <= kept) return
      times.shift()
      for (const track of tracks) figures[track].shift()
    },
    draw(of) {
      marks = of
      for (const chart of charts) chart.draw(times, figures)
    },
  }
}

function emptyFigures(): Past['tracks'] {
  return Object.fromEntries(tracks.map((track) => [track, [] as (number | null)[]])) as Past['tracks']
}

function color(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim()
}

function makeChart(kind: Kind, place: HTMLElement, marks: () => readonly Mark[]) {
  const keys = kind.lines.map((line) => make('span', { classes: `key ${line.color}` }))
  const caption = make('figcaption', {}, make('b', { text: kind.title }), ...keys)
  const canvas = make('div')
  place.append(make('figure', {}, caption, canvas))
  let at: number | null = null
  let plot = open()

  function open(): uPlot {
    const axis = {
      stroke: color('quiet'),
      font: '11px system-ui, sans-serif',
      grid: { stroke: color('line'), width: 1 },
      ticks: { show: false },
    }
    const options: uPlot.Options = {
      width: Math.max(50, canvas.clientWidth),
      height,
      padding: [6, 6, 0, 0],
      legend: { show: false },
      cursor: { sync: { key: 'time' }, points: { size: 5 }, drag: { x: false, y: false } },
      scales: { y: { range: (_plot, _min, max) => [0, Math.max(kind.minRange, (max ?? 0) * 1.08)] } },
      axes: [
        { ...axis, size: 22, space: 70, values: (_plot, ticks) => ticks.map(formatTick) },
        {
          ...axis,
          size: 58,
          space: 34,
          ...(kind.format === formatSize && { incrs: binarySteps }),
          values: (_plot, ticks) => ticks.map((tick) => kind.format(tick)),
        },
      ],
      series: [
        {},
        ...kind.lines.map((line) => ({
          stroke: color(line.color),
          width: 1.5,
          points: { show: false },
          ...(line.dashed && { dash: [5, 4] }),
          ...(line.filled && { fill: `${color(line.color)}28` }),
        })),
      ],
      hooks: {
        draw: [(plot) => drawMarks(plot, kind, marks())],
        setCursor: [
          (plot) => {
            at = plot.cursor.idx ?? null
            describe(plot.data as uPlot.AlignedData)
          },
        ],
      },
    }
    return new uPlot(options, [[], ...kind.lines.map(() => [])], canvas)
  }
  /** Shows the figures under the pointer, or the latest figures if the pointer is elsewhere. */
  function describe(data: uPlot.AlignedData) {
    for (const [i, line] of kind.lines.entries()) {
      const column = data[i + 1]!
      const value = column[at ?? column.length - 1]
      setText(keys[i]!, `${line.label} ${line.dashed && value == null ? 'none' : kind.format(value)}`)
    }
  }
  const chart = {
    draw(times: number[], figures: Past['tracks']) {
      const used = kind.lines.filter((line) => !line.dashed)
      const max = Math.max(0, ...used.flatMap((line) => figures[line.track].map((value) => value ?? 0)))
      // a limit far above the curve would flatten it, so that limit appears only in the legend
      const shown = kind.lines.map((line) =>
        line.dashed
          ? figures[line.track].map((value) => (value !== null && value <= max * 5 ? value : null))
          : figures[line.track],
      )
      plot.setData([times, ...shown] as uPlot.AlignedData)
      const [from, to] = [times[0] ?? 0, times.at(-1) ?? 1]
      plot.setScale('x', { min: Math.min(from, to - 60), max: to })
      describe([times, ...kind.lines.map((line) => figures[line.track])] as uPlot.AlignedData)
      canvas.querySelector('canvas')?.setAttribute('aria-hidden', 'true')
    },
    renew(times: number[], figures: Past['tracks']) {
      plot.destroy()
      plot = open()
      chart.draw(times, figures)
    },
    resize() {
      const width = canvas.clientWidth
      if (width > 0 && width !== plot.width) plot.setSize({ width, height })
    },
  }
  return chart
}

function formatTick(seconds: number): string {
  return new Date(seconds * 1000).toTimeString().slice(0, seconds % 60 === 0 ? 5 : 8)
}

function drawMarks(plot: uPlot, { marks: kinds }: Kind, marks: readonly Mark[]): void {
  const { ctx, bbox } = plot
  const ratio = devicePixelRatio
  ctx.save()
  for (const { at, kind } of marks) {
    if (!kinds.includes(kind)) continue
    const x = plot.valToPos(at / 1000, 'x', true)
    // a marker can have a later time than the last sample, so allow a few pixels beyond the chart
    if (x < bbox.left || x > bbox.left + bbox.width + 12 * ratio) continue
    const shown = Math.min(x, bbox.left + bbox.width - 1)
    ctx.strokeStyle = ctx.fillStyle = color(markColors[kind])
    ctx.lineWidth = 1.5 * ratio
    ctx.setLineDash([])
    ctx.beginPath()
    ctx.moveTo(shown, bbox.top)
    ctx.lineTo(shown, bbox.top + bbox.height)
    ctx.stroke()
    ctx.beginPath()
    ctx.moveTo(shown - 4 * ratio, bbox.top)
    ctx.lineTo(shown + 4 * ratio, bbox.top)
    ctx.lineTo(shown, bbox.top + 6 * ratio)
    ctx.fill()
  }
  ctx.restore()
}
