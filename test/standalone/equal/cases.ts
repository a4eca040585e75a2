// SPDX-License-Identifier: Apache-2.0
// All kinds of random cases. Node runs them in the test, and the binary by main.ts: each case gives one line of text.

import { HutchError, nameOptions } from '../../../src/errors/errors.ts'
import { commandLineNames } from '../../../src/options/names.ts'
import { bwrapLine, libraryCall, nsenterLine, runLine, unshareLine } from './programs.ts'
import { openRandom, type Random } from './random.ts'
import {
  configFile,
  kernelValue,
  otherJson,
  procText,
  report,
  resourceLimit,
  rulesFile,
  seccompProfile,
} from './texts.ts'
import { bytes, json, number, order, text } from './values.ts'

const kinds: { [kind: string]: (random: Random) => unknown } = {
  ...{ runLine, libraryCall, bwrapLine, unshareLine, nsenterLine },
  ...{ seccompProfile, rulesFile, configFile, procText, kernelValue, report, otherJson, resourceLimit },
  ...{ bytes, order, number, text, json },
}

/** What a line begins with if hutch threw no error of its own: a defect, also if both hosts do. */
export const exception = 'an exception: '

export const kindNames = Object.keys(kinds)

/** Runs one case. Each has its own source of random numbers, so that it can be repeated alone. */
export async function runCase(kind: string, seed: number, index: number): Promise<string> {
  const random = openRandom(Math.imul(seed + kindNames.indexOf(kind) * 7919, 0x9e3779b1) + index * 104_729)
  try {
    return JSON.stringify({ result: await kinds[kind]!(random) }, (_, value: unknown) => forJson(value))
  } catch (error) {
    // words of the engine differ, and no user may see them
    if (!HutchError.is(error))
      return `an exception: ${(error as Error).name}${process.env.HUTCH_DEBUG ? (error as Error).stack : ''}`
    const { code, message } = nameOptions(error, commandLineNames)
    return JSON.stringify({ code, message })
  }
}

function forJson(value: unknown): unknown {
  if (typeof value === 'bigint') return `${value}n`
  if (value instanceof Map || value instanceof Set) return [...value]
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value)
  return Object.is(value, -0) ? '-0' : value
}
