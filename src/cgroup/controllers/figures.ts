// SPDX-License-Identifier: Apache-2.0
// Joins the tables of figures: every figure of a group with its file in each version, and what is derived from its row. Samples (monitor/),
// rates, metrics, recordings, the tables of `hutch stats` and `hutch top`, and the dashboard use it. Pure.
import { type CgroupVersion, describeFile } from './catalog.ts'
import { coreFigures, stallFigures } from './core.ts'
import { cpuFigures } from './cpu.ts'
import type { FigureSource, GroupFigure, Kind, RateOf, Translated } from './figure.ts'
import type { RateValues } from './figure-types.generated.ts'
import { ioFigures } from './io.ts'
import { memoryFigures } from './memory-figures.ts'
import { pidsFigures } from './pids.ts'

export type { DeviceIo, Pressure, Stall } from './figure.ts'
export type { FigureValues, RateValues, ReportCounts } from './figure-types.generated.ts'

/** Names of the rates between two samples. */
export type RateName = keyof RateValues

const table = {
  ...coreFigures,
  ...cpuFigures,
  ...memoryFigures,
  ...pidsFigures,
  ...ioFigures,
  ...stallFigures,
} as const

type Table = typeof table

/** Names of the figures in a sample. */
export type FigureName = {
  [name in keyof Table]: Table[name] extends { hidden: true } | { only: 'report' } ? never : name
}[keyof Table]
/** Names of the figures of one kind. */
export type FigureOf<K extends Kind> = {
  [name in FigureName]: Table[name]['kind'] extends K ? name : never
}[FigureName]
type Marked<Mark extends string, Value = true> = {
  [name in FigureName]: Table[name] extends { [mark in Mark]: Value } ? name : never
}[FigureName]
/** Figures that the dashboard shows. */
export type PageFigure = Marked<'page'>

type RatesIn<Row> = Row extends { rates: readonly (infer One)[] } ? One : never
type AnyRate = { [name in keyof Table]: RatesIn<Table[name]> }[keyof Table]
/** Rates that the dashboard shows. */
export type PageRate = Extract<AnyRate, { page: number }>['name']

/** A row of the table of figures, with the figure's name. */
export interface NamedFigure extends GroupFigure {
  readonly name: string
}

const rows: readonly NamedFigure[] = Object.entries<GroupFigure>(table).map(([name, row]) => ({ ...row, name }))

/** Figures that are read for each sample, including those that are not shown. */
export const allFigures = rows.filter(({ only }) => only === undefined)

/** Figures in a run's report. */
export const reportFigures = rows.filter(({ report }) => report !== undefined)

/** Figures that a sample contains. */
export const figures = allFigures.filter(({ hidden }) => !hidden) as readonly (NamedFigure & { name: FigureName })[]

/** A rate, with the figure from which it is computed. */
export interface NamedRate extends RateOf {
  readonly name: RateName
  readonly figure: NamedFigure & { name: FigureName }
}

export const rateRows: readonly NamedRate[] = figures.flatMap((figure) =>
  (figure.rates ?? []).map((rate) => ({ ...rate, name: rate.name as RateName, figure })),
)

/** Returns the names of the figures of one kind. */
export function namesOfKind<K extends Kind>(kind: K): FigureOf<K>[] {
  return figures.filter((row) => row.kind === kind).map(({ name }) => name as FigureOf<K>)
}

/**
 * Returns where a figure is read on v1; undefined if v1 has no equivalent. Several v1 files can together contain the content of one v2
 * file.
 */
export function legacySource({ v1, v2 }: GroupFigure): FigureSource | Translated | undefined {
  if (v1 === 'none') return undefined
  if (v1 !== undefined || v2 === undefined) return v1
  const files = describeFile(v2.file, 'v2')?.v1 ?? []
  return files.length > 1 ? { files } : files[0] === undefined ? undefined : { ...v2, file: files[0] }
}

/** Returns the controller without which the v2 file of a figure does not exist; '' for files that every group has. */
export function unifiedController({ controller, v2 }: GroupFigure): string {
  const words = v2 && describeFile(v2.file, 'v2')
  return controller ?? (!words || words.always || words.controller === 'cgroup' ? '' : words.controller)
}

/** Returns the files with a resource's figures that `hutch why` reads of a group and its ancestors, or only those of its counts. */
export function levelFiles(resource: string, version: CgroupVersion, only?: 'counts'): string[] {
  const chosen = rows.filter((row) => row.levels && (!only || row.levels === only) && resourceOf(row) === resource)
  return [...new Set(chosen.flatMap((row) => (version === 'v2' ? (row.v2?.file ?? []) : legacyFilesOf(row))))]
}

/** Returns the v1 files from which a figure is read. */
export function legacyFilesOf(row: GroupFigure): readonly string[] {
  const source = legacySource(row)
  return source === undefined ? [] : 'files' in source ? source.files : [source.file]
}

/** Returns the first part of the name of a figure's v2 file: memory for memory.current. A computed figure has the file of its limit. */
export function resourceOf(figure: GroupFigure): string | undefined {
  return (figure.v2 ?? limitOf(figure)?.v2)?.file.split('.')[0]
}

/** Returns the figure that is the limit of this figure. */
export function limitOf({ limit }: GroupFigure): (NamedFigure & { name: FigureOf<'limit'> }) | undefined {
  return figures.find(({ name }) => name === limit) as (NamedFigure & { name: FigureOf<'limit'> }) | undefined
}
