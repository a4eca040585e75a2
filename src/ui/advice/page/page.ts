// SPDX-License-Identifier: Apache-2.0
// The page of `hutch advise --html` in the browser: draws the charts from the data in the page.
import uPlot from 'uplot'
import { find, make, setText } from '../../dashboard/page/dom.ts'
import { formatSize } from '../../dashboard/page/format.ts'
import type { PageData } from '../page-data.ts'

const height = 240
const data = JSON.parse(find('data').textContent ?? '') as PageData

function color(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim()
}

function formatMs(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`
}

/** Distances of the marks of the axis: round numbers of bytes in binary units. */
const sizeSteps = Array.from({ length: 40 }, (_, power) => 2 ** (power + 10))

function axes(formatX: (value: number) => string, steps?: number[]): uPlot.Axis[] {
  const axis = {
    stroke: color('quiet'),
    font: '11px system-ui, sans-serif',
    grid: { stroke: color('line'), width: 1 },
    ticks: { show: false },
  }
  return [
    { ...axis, size: 24, space: 80, ...(steps && { incrs: steps }), values: (_plot, ticks) => ticks.map(formatX) },
    { ...axis, size: 58, space: 34, values: (_plot, ticks) => ticks.map(formatMs) },
  ]
}

function dots(name: string): uPlot.Series {
  return { stroke: color(name), width: 1.5, points: { show: true, size: 8, fill: color(name), stroke: color(name) } }
}

function drawDashes({ ctx }: uPlot, name: string, from: [number, number], to: [number, number]): void {
  ctx.save()
  ctx.strokeStyle = color(name)
  ctx.lineWidth = 2 * devicePixelRatio
  ctx.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio])
  ctx.beginPath()
  ctx.moveTo(...from)
  ctx.lineTo(...to)
  ctx.stroke()
  ctx.restore()
}

/** Draws the advised limit, and the mean time of the runs without limits. */
function drawReferences(plot: uPlot): void {
  const { left, top, width, height } = plot.bbox
  if (data.advised !== null) {
    const x = plot.valToPos(data.advised, 'x', true)
    drawDashes(plot, 'blue', [x, top], [x, top + height])
  }
  const y = plot.valToPos(freeMean(), 'y', true)
  drawDashes(plot, 'quiet', [left, y], [left + width, y])
}

function mean(runs: PageData['runs']): number {
  return runs.reduce((sum, { ms }) => sum + ms, 0) / Math.max(1, runs.length)
}

/** Returns the mean time of the runs without limits. */
function freeMean(): number {
  return mean(data.runs.filter(({ memory, passed }) => memory === null && passed))
}

function options(
  width: number,
  x: (value: number) => string,
  series: uPlot.Series[],
  { steps, most = 0 }: { steps?: number[]; most?: number } = {},
): uPlot.Options {
  return {
    width,
    height,
    padding: [8, 28, 0, 0],
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { time: false, range: spread },
      y: { range: (_plot, _min, max) => [0, (Math.max(max, most) || 1) * 1.1] },
    },
    axes: axes(x, steps),
    series: [{}, ...series],
  }
}

/** A little room on both sides, also if there is only one value. */
function spread(_plot: uPlot, min: number, max: number): [number, number] {
  const room = (max - min) * 0.05 || max * 0.1 || 1
  return [min - room, max + room]
}

function memoryChart(place: HTMLElement): uPlot {
  const runs = data.runs.filter(({ memory }) => memory !== null).toSorted((a, b) => a.memory! - b.memory!)
  const passed = runs.filter(({ passed }) => passed)
  const columns = [
    runs.map(({ memory }) => memory!),
    runs.map(({ ms, passed }) => (passed ? ms : null)),
    runs.map(({ ms, passed }) => (passed ? null : ms)),
    runs.map((run) => (run.passed ? mean(passed.filter(({ memory }) => memory === run.memory)) : null)),
  ]
  const series = [
    { ...dots('green'), paths: () => null },
    { ...dots('red'), paths: () => null },
    { stroke: color('green'), width: 1.5, points: { show: false }, spanGaps: true },
  ]
  const chart = options(place.clientWidth, formatSize, series, { steps: sizeSteps, most: freeMean() })
  return new uPlot({ ...chart, hooks: { draw: [drawReferences] } }, columns as uPlot.AlignedData, place)
}

function cpuChart(place: HTMLElement): uPlot {
  const columns = [data.cpuTimes.map(({ cpus }) => cpus), data.cpuTimes.map(({ ms }) => ms)]
  const one = options(place.clientWidth, (value) => value.toFixed(2), [dots('blue')])
  return new uPlot(one, columns as uPlot.AlignedData, place)
}

function fillTables(): void {
  setText(find('headline'), data.headline)
  for (const [label, text] of data.lines) find('lines').append(make('dt', { text: label }), make('dd', { text }))
  for (const { limits, ms, outcome } of data.runs) {
    const cells = [
      make('td', { text: String(find('runs').querySelectorAll('tbody tr').length + 1) }),
      make('td', { text: limits, classes: 'number' }),
      make('td', { text: formatMs(ms), classes: 'number' }),
      make('td', { text: outcome }),
    ]
    find('runs')
      .querySelector('tbody')!
      .append(make('tr', {}, ...cells))
  }
  for (const { name, content, share } of data.packed) {
    const part = (of: number, classes: string) => {
      const inner = make('div')
      inner.style.width = `${Math.min(100, of * 100)}%`
      return make('div', { classes }, inner)
    }
    const title = make('div', { text: name })
    const text = make('div', { text: content, classes: 'content' })
    find('machines').append(make('li', {}, title, text, part(share.cpu, 'fill'), part(share.memory, 'fill violet')))
  }
}

fillTables()
find('memory-part').hidden = data.runs.length === 0
find('cpu-part').hidden = data.cpuTimes.length === 0
find('machines-part').hidden = data.packed.length === 0

const makers: [string, (place: HTMLElement) => uPlot][] = [
  ['memory', memoryChart],
  ['cpu', cpuChart],
]
for (const [id, draw] of makers) {
  const place = find(id)
  if (place.parentElement!.hidden) continue
  let plot = draw(place)
  const renew = () => {
    plot.destroy()
    plot = draw(place)
    plot.root.querySelector('canvas')?.setAttribute('aria-hidden', 'true')
  }
  renew()
  // a canvas does not follow style changes
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', renew)
  new ResizeObserver(() => {
    if (place.clientWidth > 0 && place.clientWidth !== plot.width) plot.setSize({ width: place.clientWidth, height })
  }).observe(place)
}
