// SPDX-License-Identifier: Apache-2.0
// Checks IP addresses. Pure.

/** Returns true for four numbers up to 255, joined by dots. */
export function isIpv4(text: string): boolean {
  return /^\d{1,3}(\.\d{1,3}){3}$/.test(text) && text.split('.').every((part) => Number(part) <= 255)
}

/** Returns true for an IPv6 address without a zone. */
export function isIpv6(text: string): boolean {
  // an IPv4 address at the end takes the place of two groups
  const last = /(?<=:)[^:]*\.[^:]*$/.exec(text)?.[0]
  if (last !== undefined && (!isIpv4(last) || /\b0\d/.test(last))) return false
  const halves = (last === undefined ? text : `${text.slice(0, -last.length)}0:0`).split('::')
  const groups = halves.flatMap((half) => (half === '' ? [] : half.split(':')))
  if (halves.length > 2 || !groups.every((group) => /^[0-9A-Fa-f]{1,4}$/.test(group))) return false
  return halves.length === 2 ? groups.length < 8 : groups.length === 8
}
