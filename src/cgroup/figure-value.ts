// SPDX-License-Identifier: Apache-2.0
// Parses texts of kernel files into values: cgroup-v2.rst, accounting/psi.rst. A missing file gives undefined. Pure.
import type { FigureSource, Kind } from './controllers/figure.ts'
import type { DeviceIo, Pressure } from './controllers/figures.ts'
import { findFlat, parseNumber } from './stats.ts'

/** Returns true for the number 1, and false for any other number. */
function asFlag(value: number | undefined): boolean | undefined {
  return value === undefined ? undefined : value === 1
}

/** Parses a limit: a number or `max`. v1 writes "no limit" as the largest number of whole pages. */
function parseLimit(text: string | undefined): number | 'max' | undefined {
  if (text?.trimEnd() === 'max') return 'max'
  const number = parseNumber(text)
  return number !== undefined && number >= 2 ** 62 ? 'max' : number
}

/** Returns the value of a figure from the text of its file. `quota` means that the text is a quota and a period. */
export function readValue(kind: Kind, source: FigureSource, quota: boolean, text: string | undefined): unknown {
  switch (kind) {
    case 'count':
      return scaled(source.key === undefined ? parseNumber(text) : findFlat(text, source.key), source.per)
    case 'limit':
      return quota ? parseCpuMax(text) : parseLimit(text)
    case 'flag':
      if (source.is !== undefined) return text?.startsWith(source.is)
      return asFlag(findFlat(text, source.key!))
    case 'stalls':
      return parseStalls(text)
    case 'devices':
      return parseIoStat(text)
  }
}

function scaled(value: number | undefined, per: number | undefined): number | undefined {
  return value === undefined || per === undefined ? value : Math.round(value / per)
}

/** Parses cpu.max into CPUs: `50000 100000` is 0.5. */
function parseCpuMax(text: string | undefined): number | 'max' | undefined {
  const [quota, period] = text?.trimEnd().split(' ') ?? []
  if (quota === 'max') return 'max'
  const cpus = Number(quota) / Number(period)
  return Number.isFinite(cpus) ? cpus : undefined
}

const stalls =
  /^some avg10=([\d.]+) avg60=\S+ avg300=\S+ total=(\d+)(?:\nfull avg10=([\d.]+) avg60=\S+ avg300=\S+ total=(\d+))?/

function parseStalls(text: string | undefined): Pressure | undefined {
  const [, someAvg, someTotal, fullAvg, fullTotal] = stalls.exec(text ?? '') ?? []
  if (someTotal === undefined) return undefined
  return {
    some: { avg10: Number(someAvg), totalUsec: Number(someTotal) },
    full: fullTotal === undefined ? undefined : { avg10: Number(fullAvg), totalUsec: Number(fullTotal) },
  }
}

/** Parses io.stat lines such as `8:0 rbytes=1 wbytes=2 rios=3 wios=4 …`. A device without figures has an empty line. */
function parseIoStat(text: string | undefined): { [device: string]: DeviceIo } | undefined {
  if (text === undefined) return undefined
  const devices: { [device: string]: DeviceIo } = {}
  for (const [, device, read, written, reads, writes] of text.matchAll(
    /^(\d+:\d+) rbytes=(\d+) wbytes=(\d+) rios=(\d+) wios=(\d+)/gm,
  ))
    devices[device!] = {
      readBytes: Number(read),
      writtenBytes: Number(written),
      reads: Number(reads),
      writes: Number(writes),
    }
  return devices
}
