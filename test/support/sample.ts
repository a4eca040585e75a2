// SPDX-License-Identifier: Apache-2.0
// Sizes of long tests: `npm test` tries a part of the rows, chosen by the day, and few repetitions. `npm run test:kernels` tries all.

/** The day since 1970, or SAMPLE_SEED: which rows are tried. */
const seed = Number(process.env.SAMPLE_SEED ?? Math.floor(Date.now() / 86_400_000))

/** Returns one row in `every` in a VM, or `everywhere`; all rows on the host and with WHOLE=1. */
export function sampled<Row>(rows: readonly Row[], everywhere = false, every = 3): readonly Row[] {
  if ((process.env.VM === undefined && !everywhere) || process.env.WHOLE === '1') return rows
  return rows.filter((_, i) => (i + seed) % every === 0)
}

/** Returns how many times a test repeats: `all` with WHOLE=1 on the host, `daily` in `npm test`, `vm` in a VM. */
export function repetitions(all: number, daily: number, vm = daily): number {
  if (process.env.VM !== undefined) return vm
  return process.env.WHOLE === '1' ? all : daily
}
