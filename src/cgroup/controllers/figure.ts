// SPDX-License-Identifier: Apache-2.0
// The shape of a row of the table of figures: what a group's files count, and where each figure is shown. Types alone.
// The rows stand beside the files they are read from (core.ts, cpu.ts, memory.ts, pids.ts, io.ts); figures.ts joins them.

/** The type of a figure's values: a number, a number or `max`, yes or no, stall times, or counts by block device. */
export type Kind = 'count' | 'limit' | 'flag' | 'stalls' | 'devices'

/** Where a figure stands: the file, the key of its line, the word that means yes, and what it is divided by. */
export interface FigureSource {
  readonly file: string
  readonly key?: string
  readonly is?: string
  readonly per?: number
}

/** Several files of v1 that together say what one file of v2 says (v1's names and formats: ../legacy-read.ts). */
export interface Translated {
  readonly files: readonly string[]
}

/** A metric of Prometheus and OTLP. A name that ends in _total is a counter. */
export interface MetricOf {
  readonly name: string
  readonly help: string
  /** Of a figure by device or of stalls: which of its numbers. */
  readonly of?: string
  readonly labels?: { readonly cpu: string }
  /** Given only if one of these figures is above 0. */
  readonly ifAny?: readonly string[]
  /** Given only for a number: how the value is made from it. */
  readonly from?: (value: number) => number
}

/** How a number is written in a column, in a line of details, in a table. */
export type Text = 'size' | 'count' | 'percent' | 'whole-percent' | 'limit' | 'of-limit' | 'bar' | 'duration' | 'cpus'

/** A column of `hutch top`. */
export interface ColumnOf {
  readonly name: string
  readonly title: string
  readonly width: number
  /** Columns with the largest number are left out first if there is no room. */
  readonly rank: number
  /** From the left. */
  readonly order: number
  /** Its place when `s` goes through the columns by which the list is sorted; absent: the list is not sorted by it. */
  readonly sorts?: number
  readonly words: string
  readonly text: Text
  /** Nothing is written for 0. */
  readonly quiet?: true
  /** `rising`: red when the figure rose since the sample before; `full`: coloured near 100 %. */
  readonly color?: 'rising' | 'full'
}

/** A cell of the table of `hutch stats`. */
export interface CellOf {
  readonly title: string
  readonly order: number
  readonly text: 'percent' | 'use-of-limit' | 'share-of-limit' | 'read-written' | 'count' | 'size'
}

/** A line among the details of one group in `hutch top`. */
interface DetailOf {
  readonly label: string
  readonly text: Text
}

/** A column of `hutch replay --list`: the largest of all samples, or the sum of all events. */
export interface ListedOf {
  readonly title: string
  readonly order: number
  readonly text: 'percent' | 'size' | 'count'
}

/** What happened between two samples. */
export interface RateOf {
  readonly name: string
  /** `second`: by the second; `sum`: in all; `share`: of another counter's; `time`: share of the time that went by. */
  readonly by: 'second' | 'sum' | 'share' | 'time'
  readonly per?: number
  /** Of a figure by device: which of its numbers, summed over all devices. */
  readonly of?: string
  /** The counter that `share` is of. */
  readonly share?: string
  readonly meaning: string
  /** In the dashboard, rounded to this part of one. */
  readonly page?: number
  /** `hutch top` draws its course. */
  readonly course?: string
  readonly column?: ColumnOf
  readonly cell?: CellOf
  readonly listed?: ListedOf
  /** Recordings note each rise as an event of this kind. `fromUnknown`: also if the count was not known before. */
  readonly event?: { readonly kind: string; readonly fromUnknown?: true }
}

/** One figure of a group and all groups below it. */
export interface GroupFigure {
  readonly kind: Kind
  readonly v2?: FigureSource
  /** Without it: the one v1 file that the catalogue names for v2's. */
  readonly v1?: FigureSource | Translated | 'none'
  /** The controller without which v2's file does not have it. */
  readonly controller?: string
  readonly unit: 'bytes' | 'µs' | 'count' | 'CPUs' | 'tasks' | ''
  readonly meaning: string
  /** Used by other rows only. */
  readonly hidden?: true
  /** Makes the value from this one and others, once all files have been read. */
  readonly complete?: (value: unknown, of: (figure: string) => unknown) => unknown
  /** The limit that it stands under, or the figure that is shown where this one is unknown. */
  readonly limit?: string
  readonly otherwise?: string
  readonly metrics?: readonly MetricOf[]
  readonly rates?: readonly RateOf[]
  /** The column of a recording (monitor format 1 has 34; later ones are optional), and the parts of one that are kept. */
  readonly recorded?: number
  readonly parts?: number
  /** The largest of several samples is kept when they become one, and `hutch replay --list` may show it. */
  readonly peak?: true
  /** Shown in the dashboard. */
  readonly page?: true
  readonly course?: string
  readonly columns?: readonly ColumnOf[]
  readonly cells?: readonly CellOf[]
  readonly listed?: ListedOf
  readonly detail?: DetailOf
  /** Its name in the `usage` of a run's report. `live`: it has one only while the run goes on. */
  readonly report?: string
  readonly live?: true
  /** The version of the report that has it first; absent: 1. */
  readonly since?: 2
  /** It is not in samples: the report of a run alone has it. */
  readonly only?: 'report'
}

export type Figures = { readonly [name: string]: GroupFigure }

/** A row of a run's report without what the report does not need: report-rows.generated.ts has them, so that no start loads the tables. */
export interface ReportRow {
  readonly name: string
  readonly kind: Kind
  readonly live?: true
  readonly since?: 2
  /** What must be in the v2 tree to have it from there; '' is the tree itself. */
  readonly controller: string
  readonly v2: FigureSource
  readonly v1?: FigureSource
}
