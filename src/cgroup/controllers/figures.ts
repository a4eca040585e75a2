// SPDX-License-Identifier: Apache-2.0
// The table of figures, joined: every figure of a group, its file in each version, and what is derived from its row. Pure.
// A sample (monitor/), its rates, metrics, recordings, the tables of `hutch stats` and `hutch top` and the dashboard follow from it.
import { describeFile } from './catalog.ts'
import { coreFigures, stallFigures } from './core.ts'
import { cpuFigures } from './cpu.ts'
import type { FigureSource, GroupFigure, Kind, RateOf, Translated } from './figure.ts'
import { ioFigures } from './io.ts'
import { memoryFigures } from './memory-figures.ts'
import { pidsFigures } from './pids.ts'

/** How long tasks waited: share of the last ten seconds in percent, and microseconds in all (accounting/psi.rst). */
export interface Stall {
  avg10: number
  totalUsec: number
}

/** some: at least one task waited; full: all did. */
export interface Pressure {
  some: Stall
  full?: Stall | undefined
}

/** Bytes and operations of one block device. */
export interface DeviceIo {
  readBytes: number
  writtenBytes: number
  reads: number
  writes: number
}

const table = {
  ...coreFigures,
  ...cpuFigures,
  ...memoryFigures,
  ...pidsFigures,
  ...ioFigures,
  ...stallFigures,
} as const

type Table = typeof table
type ValueOf<K extends Kind> = {
  count: number
  limit: number | 'max'
  flag: boolean
  stalls: Pressure
  devices: { readonly [device: string]: DeviceIo }
}[K]

/** Names of the figures that a sample has. */
export type FigureName = {
  [name in keyof Table]: Table[name] extends { hidden: true } | { only: 'report' } ? never : name
}[keyof Table]
/** Figures of one kind. */
export type FigureOf<K extends Kind> = {
  [name in FigureName]: Table[name]['kind'] extends K ? name : never
}[FigureName]
type Marked<Mark extends string, Value = true> = {
  [name in FigureName]: Table[name] extends { [mark in Mark]: Value } ? name : never
}[FigureName]
/** Figures that the dashboard shows. */
export type PageFigure = Marked<'page'>

/** Names of the counts in the usage of a run's report. */
export type ReportName = {
  [name in keyof Table]: Table[name] extends { kind: 'count'; report: infer Name } ? Name & string : never
}[keyof Table]

type RatesIn<Row> = Row extends { rates: readonly (infer One)[] } ? One : never
type AnyRate = { [name in keyof Table]: RatesIn<Table[name]> }[keyof Table]
/** Names of the rates between two samples. */
export type RateName = AnyRate extends { name: infer Name } ? Name & string : never
/** Rates that the dashboard shows. */
export type PageRate = Extract<AnyRate, { page: number }>['name']

/** The figures of a sample, by name: what the host does not give is undefined. */
export type FigureValues = {
  -readonly [name in keyof Table as Table[name] extends { hidden: true } | { only: 'report' } ? never : name]:
    | ValueOf<Table[name]['kind']>
    | undefined
}

/** A row with its name. */
export interface NamedFigure extends GroupFigure {
  readonly name: string
}

const rows: readonly NamedFigure[] = Object.entries<GroupFigure>(table).map(([name, row]) => ({ ...row, name }))

/** The rows that samples are made from, hidden ones too. */
export const allFigures = rows.filter(({ only }) => only === undefined)

/** The rows of a run's report. */
export const reportFigures = rows.filter(({ report }) => report !== undefined)

/** The rows of a sample. */
export const figures = allFigures.filter(({ hidden }) => !hidden) as readonly (NamedFigure & { name: FigureName })[]

/** A rate with the row it is of. */
export interface NamedRate extends RateOf {
  readonly name: RateName
  readonly figure: NamedFigure & { name: FigureName }
}

export const rateRows: readonly NamedRate[] = figures.flatMap((figure) =>
  (figure.rates ?? []).map((rate) => ({ ...rate, name: rate.name as RateName, figure })),
)

/** Names of the figures of one kind. */
export function namesOfKind<K extends Kind>(kind: K): FigureOf<K>[] {
  return figures.filter((row) => row.kind === kind).map(({ name }) => name as FigureOf<K>)
}

/** Where a figure stands on v1; undefined if v1 has nothing like it. Several files: what they say together is v2's text. */
export function legacySource({ v1, v2 }: GroupFigure): FigureSource | Translated | undefined {
  if (v1 === 'none') return undefined
  if (v1 !== undefined || v2 === undefined) return v1
  const files = describeFile(v2.file, 'v2')?.v1 ?? []
  return files.length > 1 ? { files } : files[0] === undefined ? undefined : { ...v2, file: files[0] }
}

/** The controller whose presence in the v2 tree gives the file; '' is what every group has. */
export function unifiedController({ controller, v2 }: GroupFigure): string {
  const words = v2 && describeFile(v2.file, 'v2')
  return controller ?? (!words || words.always || words.controller === 'cgroup' ? '' : words.controller)
}

/** The limit row of a figure. */
export function limitOf({ limit }: GroupFigure): (NamedFigure & { name: FigureOf<'limit'> }) | undefined {
  return figures.find(({ name }) => name === limit) as (NamedFigure & { name: FigureOf<'limit'> }) | undefined
}
