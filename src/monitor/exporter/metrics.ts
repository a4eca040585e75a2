// SPDX-License-Identifier: Apache-2.0
// Turns a sample of all groups into metrics. Pure. Uses cAdvisor's name, unit and labels for a figure that cAdvisor
// also has; other names begin with hutch_.
import type { MetricOf } from '../../cgroup/controllers/figure.ts'
import { type FigureName, type FigureValues, figures } from '../../cgroup/controllers/figures.ts'
import { nameContainer } from '../container-name.ts'
import type { DeviceIo, GroupSample, Pressure, Snapshot } from '../sample.ts'

/** A metric in Prometheus' terms: a name, type, help text and points. */
export interface MetricFamily {
  /** The metric's name; the name of a counter ends in _total. */
  name: string
  kind: 'counter' | 'gauge'
  help: string
  points: Point[]
}

export interface Point {
  /** Labels of the point. All points of a group share one object unless a point has labels of its own. */
  labels: { readonly [name: string]: string }
  value: number
  /** Time at which the group's counter was 0, in milliseconds since 1970. */
  start?: number | undefined
}

/** Facts that a sample of the groups does not contain. */
interface MetricsContext {
  /** How long the sample took, in milliseconds. */
  tookMs: number
  machine: { cpus: number; memory: number }
  /** Returns the path of a block device: `8:0` → `/dev/sda`. */
  nameOf?(device: string): string
  /** Returns when a group was created, in milliseconds since 1970. */
  startOf?(path: string): number | undefined
}

/** A metric's value, with the labels that it has in addition to its group's labels. */
type Value = readonly [value: number | undefined, labels?: { device?: string; cpu?: string } | undefined]

interface Row {
  name: string
  kind: MetricFamily['kind']
  help: string
  values: (sample: GroupSample) => readonly Value[]
}

function makeMetricRow(figure: Named, metric: MetricOf): Row {
  const { name, help, ifAny } = metric
  const read = readerOf(figure, metric)
  const isThere = (sample: GroupSample) =>
    sample[figure.name] !== undefined && (!ifAny || ifAny.some((other) => isAboveZero(sample[other as FigureName])))
  return {
    name,
    kind: name.endsWith('_total') ? 'counter' : 'gauge',
    help,
    values: (sample) => (isThere(sample) ? read(sample[figure.name]) : []),
  }
}

type Named = (typeof figures)[number]

/** Returns a function that converts a figure to a metric's values. Times become seconds and sizes bytes. */
function readerOf({ kind, unit }: Named, { of, from, labels }: MetricOf): (value: unknown) => readonly Value[] {
  const scaled = (value: number | undefined) => (unit === 'µs' && value !== undefined ? value / 1e6 : value)
  switch (kind) {
    case 'flag':
      return (value) => [[Number(value)]]
    case 'stalls':
      return (value) => [[scaled((value as Pressure)[of as keyof Pressure]?.totalUsec)]]
    case 'devices':
      return (value) =>
        Object.entries(value as FigureValues['io'] & object).map(([device, one]) => [
          one[of as keyof DeviceIo],
          { device },
        ])
    case 'limit':
      // cAdvisor reports 0 for a group without a limit
      return from
        ? (value) => [[value === 'max' ? undefined : from(value as number)]]
        : (value) => [[value === 'max' ? 0 : (value as number)]]
    case 'count':
      return (value) => [[scaled(value as number), labels]]
  }
}

function isAboveZero(value: unknown): boolean {
  return typeof value === 'number' && value > 0
}

/** The metrics of a group: cAdvisor's names first, then hutch's own. */
const rows: readonly Row[] = figures
  .flatMap((figure) => (figure.metrics ?? []).map((metric) => makeMetricRow(figure, metric)))
  .sort((a, b) => Number(a.name.startsWith('hutch_')) - Number(b.name.startsWith('hutch_')))

/** Returns all metrics of all groups. A figure that is unknown for a group has no point. */
export function makeMetrics(snapshot: Snapshot, circumstances: MetricsContext): MetricFamily[] {
  const { tookMs, machine, nameOf = (device) => device, startOf = () => undefined } = circumstances
  const groups = labelGroups(snapshot).map(([id, labels, sample]) => ({ labels, sample, start: startOf(id) }))
  const families = rows.map(({ name, kind, help, values }): MetricFamily => {
    const points: Point[] = []
    for (const { labels: own, sample, start } of groups)
      for (const [value, more] of values(sample)) {
        if (value === undefined) continue
        const device = more?.device === undefined ? more : { device: nameOf(more.device) }
        points.push({ labels: device ? { ...own, ...device } : own, value, ...(kind === 'counter' && { start }) })
      }
    return { name, kind, help, points }
  })
  const gauge = (name: string, help: string, points: Point[]): MetricFamily => ({ name, kind: 'gauge', help, points })
  const alone = (value: number): Point[] => [{ labels: {}, value }]
  const seen = Math.floor(snapshot.time / 1000)
  return [
    ...families,
    gauge(
      'container_last_seen',
      'Time of the sample, in seconds since 1970.',
      groups.map(({ labels }) => ({ labels, value: seen })),
    ),
    gauge(
      'container_start_time_seconds',
      'Creation time, in seconds since 1970.',
      groups.flatMap(({ labels, start }) => (start === undefined ? [] : [{ labels, value: Math.floor(start) / 1000 }])),
    ),
    gauge('machine_cpu_cores', 'Processors of the machine.', alone(machine.cpus)),
    gauge('machine_memory_bytes', 'Memory of the machine.', alone(machine.memory)),
    gauge('hutch_groups', 'Number of control groups.', alone(snapshot.groups.size)),
    gauge(
      'hutch_look_seconds',
      'Duration of the sample of all groups, in seconds.',
      alone(Math.round(tookMs * 1000) / 1e6),
    ),
  ].filter(({ points }) => points.length > 0)
}

/**
 * Returns each group with its labels. Only a container's own group has the label `name`. Groups inside the container
 * lack it, so that sums over all names count nothing twice.
 */
function labelGroups({ groups }: Snapshot): [id: string, labels: Point['labels'], sample: GroupSample][] {
  const inContainer = new Set<string>()
  return [...groups].map(([id, sample]) => {
    const inside = inContainer.has(id.slice(0, id.lastIndexOf('/')))
    const name = inside ? undefined : nameContainer(id)
    if (inside || name !== undefined) inContainer.add(id)
    return [id, name === undefined ? { id } : { id, name }, sample]
  })
}

/**
 * Adds the machine's figures as figures of the root group, which has none on v2; cAdvisor does the same. They come from
 * the text of /proc/meminfo. The root group's limit is the machine's memory.
 */
export function addMachine(snapshot: Snapshot, meminfo: string | undefined): Snapshot {
  const root = snapshot.groups.get('/')
  if (!root) return snapshot
  const lines = [...(meminfo ?? '').matchAll(/^(\S+): +(\d+) kB$/gm)]
  const bytes = new Map(lines.map(([, name, kilobytes]) => [name, Number(kilobytes) * 1024]))
  const found = figures.flatMap(({ name, kind, machine = [] }) => {
    const [total, ...others] = machine.flatMap((line) => bytes.get(line) ?? [])
    if (total === undefined || others.length + 1 < machine.length) return []
    if (kind !== 'limit' && root[name] !== undefined) return []
    return [[name, others.reduce((rest, other) => Math.max(0, rest - other), total)]]
  })
  const groups = new Map(snapshot.groups).set('/', { ...root, ...Object.fromEntries(found) })
  return { ...snapshot, groups }
}
