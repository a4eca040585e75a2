// SPDX-License-Identifier: Apache-2.0
// Long tables in a VM, where everything takes ten times as long: a part of the rows, chosen by the day, in `npm test`; all in `npm run test:kernels`.

/** The day since 1970, or SAMPLE_SEED: which rows are tried. */
const seed = Number(process.env.SAMPLE_SEED ?? Math.floor(Date.now() / 86_400_000))

/** Returns one row in `every` in a VM, or `everywhere`; all rows on the host and with WHOLE=1. */
export function sampled<Row>(rows: readonly Row[], everywhere = false, every = 3): readonly Row[] {
  if ((process.env.VM === undefined && !everywhere) || process.env.WHOLE === '1') return rows
  return rows.filter((_, i) => (i + seed) % every === 0)
}
