// SPDX-License-Identifier: Apache-2.0
// Types of a row in the table of figures: what the kernel counts for a group, and where each figure is shown. The rows are in core.ts,
// cpu.ts, memory-figures.ts, pids.ts and io.ts; figures.ts joins them.

/**
 * Type of a figure's values. count: a number; limit: a number or `max`; flag: yes or no; stalls: times that tasks waited; devices: counts
 * by block device.
 */
export type Kind = 'count' | 'limit' | 'flag' | 'stalls' | 'devices'

/** How long tasks waited for a resource (accounting/psi.rst). */
export interface Stall {
  /** Share of the last ten seconds in which tasks waited, in percent. */
  avg10: number
  /** Total time that tasks waited, in microseconds. */
  totalUsec: number
}

/** How long tasks waited for a resource, as the kernel's two counts. */
export interface Pressure {
  /** Time in which at least one task waited. */
  some: Stall
  /** Time in which all tasks waited. Absent if the kernel does not count this. */
  full?: Stall | undefined
}

/** Bytes and operations of one block device. */
export interface DeviceIo {
  /** Bytes that were read. */
  readBytes: number
  /** Bytes that were written. */
  writtenBytes: number
  /** Number of read operations. */
  reads: number
  /** Number of write operations. */
  writes: number
}

/** Where a figure is read: file, key of the line, the word that means yes, and a divisor. */
export interface FigureSource {
  readonly file: string
  readonly key?: string
  readonly is?: string
  readonly per?: number
}

/** v1 files that together contain the content of one v2 file. v1/read.ts translates them. */
export interface Translated {
  readonly files: readonly string[]
}

/** A metric of Prometheus and OTLP. A name that ends in _total is a counter. */
export interface MetricOf {
  readonly name: string
  readonly help: string
  /** Which of the numbers of a `devices` or `stalls` figure is exported. */
  readonly of?: string
  readonly labels?: { readonly cpu: string }
  /** The metric is exported only if one of these figures is above 0. */
  readonly ifAny?: readonly string[]
  /** Converts the figure's value to that of the metric. Called only for a number. */
  readonly from?: (value: number) => number
}

/** How a number is written in a column, in a line of details, or in a table. */
export type Text = 'size' | 'count' | 'percent' | 'whole-percent' | 'limit' | 'of-limit' | 'bar' | 'duration' | 'cpus'

/** A column of `hutch top`. */
export interface ColumnOf {
  readonly name: string
  readonly title: string
  readonly width: number
  /** Columns with the highest rank are omitted first if the terminal is too narrow. */
  readonly rank: number
  /** Position from the left. */
  readonly order: number
  /** Position among the sort columns that the key `s` selects in turn. Absent if the list cannot be sorted by this column. */
  readonly sorts?: number
  readonly words: string
  readonly text: Text
  /** True if the cell stays empty for the value 0. */
  readonly quiet?: true
  /** Colour of the number. `rising`: red if the figure rose since the previous sample; `full`: coloured near 100 %. */
  readonly color?: 'rising' | 'full'
}

/** A cell in the table of `hutch stats`. */
export interface CellOf {
  readonly title: string
  readonly order: number
  readonly text: 'percent' | 'use-of-limit' | 'share-of-limit' | 'read-written' | 'count' | 'size'
}

/** A line in the details of one group in `hutch top`. */
interface DetailOf {
  readonly label: string
  readonly text: Text
}

/** What `hutch why` and the verdict of a job say about a figure in the recorded samples of a group. */
export interface RecalledOf {
  readonly label: string
  /** Position among the figures. */
  readonly order: number
  /** For stall times: what the tasks waited for. */
  readonly waitedFor?: string
  /** `why`: the maximum of all samples. `verdict`: a rise before the job's end, or how long tasks waited. */
  readonly by: readonly ('why' | 'verdict')[]
}

/** A column of `hutch replay --list`: the maximum of all samples, or the sum of all events. */
export interface ListedOf {
  readonly title: string
  readonly order: number
  readonly text: 'percent' | 'size' | 'count'
}

/** A rate: computed from the difference of a figure between two samples. */
export interface RateOf {
  readonly name: string
  /**
   * How the rate is computed from the difference. `second`: per second; `sum`: unchanged; `share`: share of another counter's difference;
   * `time`: share of elapsed time.
   */
  readonly by: 'second' | 'sum' | 'share' | 'time'
  readonly per?: number
  /** For figures by device: the number from which the rate is computed, summed over all devices. */
  readonly of?: string
  /** For `by: 'share'`: the other counter. */
  readonly share?: string
  readonly meaning: string
  /** Set if the dashboard shows the rate. The rate is then rounded to multiples of 1/`page`. */
  readonly page?: number
  /** Label of the rate's graph in `hutch top`; absent if `hutch top` draws no graph. */
  readonly track?: string
  readonly column?: ColumnOf
  readonly cell?: CellOf
  readonly listed?: ListedOf
  /** Each rise of the figure is stored in recordings as an event of this kind. `fromUnknown`: also a rise from an unknown count. */
  readonly event?: { readonly kind: string; readonly fromUnknown?: true }
}

/** A figure of a group and its descendants: where the kernel reports it, and where hutch shows it. */
export interface GroupFigure {
  readonly kind: Kind
  readonly v2?: FigureSource
  /** Where the figure is read on v1. Absent if that is the v1 file that the catalogue lists for the v2 file. */
  readonly v1?: FigureSource | Translated | 'none'
  /** Controller that must be enabled for the v2 file to contain the figure. */
  readonly controller?: string
  readonly unit: 'bytes' | 'µs' | 'count' | 'CPUs' | 'tasks' | ''
  readonly meaning: string
  /** True if the figure is not shown, and only used to compute other figures. */
  readonly hidden?: true
  /** Computes the final value from the read value and other figures, after all files have been read. */
  readonly complete?: (value: unknown, of: (figure: string) => unknown) => unknown
  /** `limit`: name of the figure that is this figure's limit. `otherwise`: name of the figure to show if this one is unknown. */
  readonly limit?: string
  readonly otherwise?: string
  readonly metrics?: readonly MetricOf[]
  readonly rates?: readonly RateOf[]
  /**
   * `recorded`: column number in recordings (monitor format 1 has 34 columns; later ones are optional). `parts`: how many parts of the
   * value are kept.
   */
  readonly recorded?: number
  readonly parts?: number
  /** True if the maximum is kept when several samples are merged. `hutch replay --list` may show the figure. */
  readonly peak?: true
  /** True if the dashboard shows the figure. */
  readonly page?: true
  readonly track?: string
  readonly columns?: readonly ColumnOf[]
  readonly cells?: readonly CellOf[]
  readonly listed?: ListedOf
  readonly detail?: DetailOf
  /**
   * Label of the figure's section in the details of `hutch top`. The section has the text of the figure's first column, a graph, the limit,
   * and the lines of other figures from the same controller.
   */
  readonly section?: string
  /** True if the first line of `hutch top` shows the figure of the root group. */
  readonly summary?: true
  /**
   * Lines of /proc/meminfo from which metrics compute the figure for the root group, which has none on v2: the first, minus all others.
   * A limit is always computed from them.
   */
  readonly machine?: readonly string[]
  readonly recalled?: RecalledOf
  /**
   * Set if `hutch why` reads the figure of a group and of all its ancestors. `counts`: it also finds the descendants that reached a limit by
   * this figure.
   */
  readonly levels?: 'read' | 'counts'
  /** Name of the figure in the `usage` of a run's report. `live`: reported only while the job runs. */
  readonly report?: string
  readonly live?: true
  /** First version of the report that contains the figure; absent means 1. */
  readonly since?: 2
  /** Set if the figure is only in the report of a run, and not in samples. */
  readonly only?: 'report'
}

export type Figures = { readonly [name: string]: GroupFigure }

/**
 * The columns of a figure that a run's report needs. report-rows.generated.ts contains them, so that a start does not load the large
 * tables.
 */
export interface ReportRow {
  readonly name: string
  readonly kind: Kind
  readonly live?: true
  readonly since?: 2
  /** Controller without which the figure cannot be read in the v2 tree; '' if the v2 tree is enough. */
  readonly controller: string
  readonly v2: FigureSource
  readonly v1?: FigureSource
}
