// SPDX-License-Identifier: Apache-2.0
// Types of a row in the table of figures: what the kernel counts for a group, and where each figure is shown. The rows are in core.ts,
// cpu.ts, memory-figures.ts, pids.ts and io.ts; figures.ts joins them.

/** Type of a figure's values: a number; a number or `max`; yes or no; stall times; counts by block device. */
export type Kind = 'count' | 'limit' | 'flag' | 'stalls' | 'devices'

/** Location of a figure: file, key of the line, word that means yes, and divisor. */
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
  /** For figures by device and for stalls: the number to export. */
  readonly of?: string
  readonly labels?: { readonly cpu: string }
  /** Exported only if one of these figures is above 0. */
  readonly ifAny?: readonly string[]
  /** Converts the value; called only for a number. */
  readonly from?: (value: number) => number
}

/** Format of a number in a column, in a line of details, or in a table. */
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
  /** True if the cell is empty for 0. */
  readonly quiet?: true
  /** `rising`: red if the figure rose since the previous sample. `full`: coloured near 100 %. */
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

/** A column of `hutch replay --list`: the maximum of all samples, or the sum of all events. */
export interface ListedOf {
  readonly title: string
  readonly order: number
  readonly text: 'percent' | 'size' | 'count'
}

/** A difference between two samples. */
export interface RateOf {
  readonly name: string
  /** `second`: per second; `sum`: total; `share`: share of another counter; `time`: share of elapsed time. */
  readonly by: 'second' | 'sum' | 'share' | 'time'
  readonly per?: number
  /** For figures by device: the number to use, summed over all devices. */
  readonly of?: string
  /** The counter that `share` refers to. */
  readonly share?: string
  readonly meaning: string
  /** Set if the dashboard shows the rate, which is rounded to multiples of 1/`page`. */
  readonly page?: number
  /** Label of the graph in `hutch top`; absent if it draws none. */
  readonly track?: string
  readonly column?: ColumnOf
  readonly cell?: CellOf
  readonly listed?: ListedOf
  /** Recordings store each rise as an event of this kind. `fromUnknown`: also if the previous count was unknown. */
  readonly event?: { readonly kind: string; readonly fromUnknown?: true }
}

/** One figure of a group and its descendants. */
export interface GroupFigure {
  readonly kind: Kind
  readonly v2?: FigureSource
  /** Location on v1. Absent if the catalogue's v1 file for the v2 file is used. */
  readonly v1?: FigureSource | Translated | 'none'
  /** Controller that must be enabled for the v2 file to contain the figure. */
  readonly controller?: string
  readonly unit: 'bytes' | 'µs' | 'count' | 'CPUs' | 'tasks' | ''
  readonly meaning: string
  /** True if only other rows use the figure. */
  readonly hidden?: true
  /** Computes the value from this figure and others, after all files have been read. */
  readonly complete?: (value: unknown, of: (figure: string) => unknown) => unknown
  /** The figure's limit, and the figure to show if this one is unknown. */
  readonly limit?: string
  readonly otherwise?: string
  readonly metrics?: readonly MetricOf[]
  readonly rates?: readonly RateOf[]
  /** Column number in recordings (monitor format 1 has 34 columns; later ones are optional), and the number of parts that are kept. */
  readonly recorded?: number
  readonly parts?: number
  /** True if the maximum is kept when several samples are merged. `hutch replay --list` may show the figure. */
  readonly peak?: true
  /** Shown in the dashboard. */
  readonly page?: true
  readonly track?: string
  readonly columns?: readonly ColumnOf[]
  readonly cells?: readonly CellOf[]
  readonly listed?: ListedOf
  readonly detail?: DetailOf
  /** Name in the `usage` of a run's report. `live`: only present while the job runs. */
  readonly report?: string
  readonly live?: true
  /** First version of the report that contains the figure; absent means 1. */
  readonly since?: 2
  /** The figure is only in the report of a run, not in samples. */
  readonly only?: 'report'
}

export type Figures = { readonly [name: string]: GroupFigure }

/** The part of a row that a run's report needs. report-rows.generated.ts contains these rows, so that a start does not load the tables. */
export interface ReportRow {
  readonly name: string
  readonly kind: Kind
  readonly live?: true
  readonly since?: 2
  /** Controller that the v2 tree must have for the figure to be read there; '' means only the tree itself. */
  readonly controller: string
  readonly v2: FigureSource
  readonly v1?: FigureSource
}
