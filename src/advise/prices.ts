// SPDX-License-Identifier: Apache-2.0
// Parses prices of CPU and memory, and computes what a size costs, exactly. Pure.
import { fail, type HutchError } from '../errors/errors.ts'
import { JsonError, parseJson } from '../text/json.ts'
import { parseQuantity } from '../text/quantity.ts'

/** What one hour of a CPU and of a GiB costs, in billionths of the currency. */
export interface Prices {
  vcpu: bigint
  gib: bigint
  currency: string
}

/** A size that has a price: CPUs in thousandths, memory in bytes. */
export interface Size {
  milliCpus: number
  memory: number
}

/** An amount of money in hundredths of the currency, rounded half up. */
export interface Cost {
  hour: string
  month: string
}

/** Hours in a month, as cloud providers count: a year has 8760. */
const hoursPerMonth = 730n
const nano = 1_000_000_000n
const acceptedPrices = 'prices such as vcpu=0.04,gib=0.005/h, or a JSON file with the fields vcpu and gib'

/** Parses `vcpu=0.04,gib=0.005/h`; the unit is `/h` (the default) or `/month`, for all prices. @throws OPTION_INVALID */
export function parsePrices(text: string): Prices {
  const [, list, unit = 'h'] = /^([^/]*)(?:\/(\w+))?$/.exec(text) ?? []
  const fields = (list ?? '').split(',').map((part) => part.split('=', 2) as [string, string?])
  const twice = fields.find(([name], index) => fields.findIndex((field) => field[0] === name) < index)
  if (twice) throw invalidPrices(text, `${twice[0]} is given twice`)
  return checkPrices(Object.fromEntries([...fields, ['per', unit]]), text)
}

/** Parses a price file: JSON with `vcpu`, `gib`, and optionally `per` (`hour` or `month`) and `currency`. @throws OPTION_INVALID */
export function parsePriceFile(content: string, path: string): Prices {
  try {
    return checkPrices(parseJson(content), path)
  } catch (error) {
    if (!(error instanceof JsonError)) throw error
    throw invalidPrices(path, `not JSON: ${error.message}`)
  }
}

function invalidPrices(given: string, why: string): HutchError {
  return fail('OPTION_INVALID', { name: '--cost', value: given, why, accepted: acceptedPrices })
}

const units: { readonly [unit: string]: bigint } = { h: 1n, hour: 1n, month: hoursPerMonth, mo: hoursPerMonth }

function checkPrices(value: unknown, given: string): Prices {
  const invalid = (why: string) => invalidPrices(given, why)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid('not an object')
  const { per = 'hour', currency = '$', ...prices } = value as { [key: string]: unknown }
  const hours = Object.hasOwn(units, String(per)) ? units[String(per)] : undefined
  if (hours === undefined) throw invalid(`unknown unit /${String(per)}`)
  const unknown = Object.keys(prices).find((key) => key !== 'vcpu' && key !== 'gib')
  if (unknown !== undefined) throw invalid(`unknown price ${unknown}`)
  const read = (key: string) => {
    const amount = parseQuantity(prices[key] === undefined ? '0' : prices[key])
    if (amount === undefined || amount < 0n || amount > 1_000_000n * nano) throw invalid(`${key} is not a price`)
    return amount / hours
  }
  if (prices.vcpu === undefined && prices.gib === undefined) throw invalid('neither vcpu nor gib has a price')
  if (typeof currency !== 'string' || !/^[\p{L}\p{Sc}]{1,4}$/u.test(currency))
    throw invalid('currency is not a symbol or a word of up to 4 letters')
  return { vcpu: read('vcpu'), gib: read('gib'), currency }
}

/** Parses the price of one hour of a machine to billionths. Returns undefined if it is not a price. */
export function parsePrice(value: unknown): bigint | undefined {
  const amount = parseQuantity(value)
  return amount === undefined || amount < 0n || amount > 1_000_000n * nano ? undefined : amount
}

/** Returns what a size costs, `count` times. */
export function costOf({ milliCpus, memory }: Size, { vcpu, gib, currency }: Prices, count = 1): Cost {
  // one common denominator for thousandths of a CPU and bytes of a GiB keeps the sum exact
  const parts = BigInt(milliCpus) * vcpu * gibibyte + BigInt(memory) * gib * 1000n
  const perHour = parts * BigInt(count)
  return money(perHour, 1000n * gibibyte, currency)
}

/** Returns what machines cost for one hour and one month; the price is in billionths. */
export function costOfMachines(price: bigint, currency = '$'): Cost {
  return money(price, 1n, currency)
}

const gibibyte = 1_073_741_824n

function money(perHour: bigint, denominator: bigint, currency: string): Cost {
  return {
    hour: formatMoney(perHour, denominator, currency),
    month: formatMoney(perHour * hoursPerMonth, denominator, currency),
  }
}

/** Formats an amount with two decimals. An amount below one tenth has four; what they cannot show is said to be less. */
function formatMoney(amount: bigint, denominator: bigint, currency: string): string {
  const round = (unit: bigint) => (2n * amount * unit + denominator * nano) / (2n * denominator * nano)
  const cents = round(100n)
  const small = amount > 0n && cents < 10n
  const digits = small ? 4 : 2
  const shown = small ? round(10_000n) : cents
  const least = shown === 0n && amount > 0n ? 1n : shown
  const text = least.toString().padStart(digits + 1, '0')
  // a word is not joined to the number
  const space = /\p{L}$/u.test(currency) ? ' ' : ''
  return `${least > shown ? '< ' : ''}${currency}${space}${text.slice(0, -digits)}.${text.slice(-digits)}`
}
