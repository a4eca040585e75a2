// SPDX-License-Identifier: Apache-2.0
// Parses and formats quantities of Kubernetes, such as 250m and 1.5Gi. Pure.

/** An amount in billionths: the smallest part that a quantity can have. */
export type Quantity = bigint

/** Amounts by the name of the resource, such as cpu and memory. */
export type ResourceList = { readonly [resource: string]: Quantity }

const nano = 1_000_000_000n
const milli = 1_000_000n

/** Suffixes with the power of 10 or of 2 that each stands for. */
const suffixes: { readonly [suffix: string]: readonly [base: bigint, power: number] } = {
  n: [10n, -9],
  u: [10n, -6],
  m: [10n, -3],
  '': [10n, 0],
  k: [10n, 3],
  M: [10n, 6],
  G: [10n, 9],
  T: [10n, 12],
  P: [10n, 15],
  E: [10n, 18],
  Ki: [2n, 10],
  Mi: [2n, 20],
  Gi: [2n, 30],
  Ti: [2n, 40],
  Pi: [2n, 50],
  Ei: [2n, 60],
}

const pattern = /^([+-]?)(\d{1,40})?(?:\.(\d{0,40}))?(?:([KMGTPE]i|[numkMGTPE])|[eE]([+-]?\d{1,2}))?$/

/** Returns the quotient, rounded up. */
function divideUp(amount: bigint, by: bigint): bigint {
  const quotient = amount / by
  return amount > 0n && quotient * by !== amount ? quotient + 1n : quotient
}

/** Largest quantity: larger ones become this one. */
const largest = (2n ** 63n - 1n) * nano

/** Parses a quantity. Parts below a billionth are rounded up. Returns undefined for an invalid quantity. */
export function parseQuantity(value: unknown): Quantity | undefined {
  if (typeof value !== 'string' && typeof value !== 'number') return undefined
  const [, sign, whole = '', part = '', suffix = '', exponent] = pattern.exec(String(value)) ?? []
  if (sign === undefined || whole + part === '') return undefined
  const [base, power] = exponent === undefined ? suffixes[suffix]! : ([10n, Number(exponent)] as const)
  const digits = BigInt(whole + part) * nano
  const scaled = power < 0 ? digits : digits * base ** BigInt(power)
  const exact = divideUp(scaled, 10n ** BigInt(part.length + Math.max(0, -power)))
  const amount = exact > largest ? largest : exact
  return sign === '-' ? -amount : amount
}

/** Returns the amount as a whole number, rounded up: bytes for memory. */
export function wholeOf(amount: Quantity): number {
  return Number(divideUp(amount, nano))
}

/** Returns the amount in thousandths, rounded up: milli-CPUs for cpu. */
export function milliOf(amount: Quantity): number {
  return Number(divideUp(amount, milli))
}

/** Returns a whole number as a quantity. */
export function quantityOf(amount: number): Quantity {
  return BigInt(Math.round(amount)) * nano
}

/** Formats bytes as a quantity: with the largest binary suffix that keeps the amount exact. */
export function formatBytes(bytes: number): string {
  const unit = ['Ei', 'Pi', 'Ti', 'Gi', 'Mi', 'Ki'].find((suffix) => {
    const factor = 2 ** suffixes[suffix]![1]
    return bytes >= factor && bytes % factor === 0
  })
  return unit === undefined ? String(bytes) : `${bytes / 2 ** suffixes[unit]![1]}${unit}`
}

/** Formats thousandths of a CPU as a quantity, such as 250m or 2. */
export function formatMilli(amount: number): string {
  return amount % 1000 === 0 ? String(amount / 1000) : `${amount}m`
}

/** Formats an amount of a resource as manifests have it. */
export function formatAmount(resource: string, amount: Quantity): string {
  return resource === 'cpu' ? formatMilli(milliOf(amount)) : formatBytes(wholeOf(amount))
}
