// SPDX-License-Identifier: Apache-2.0
// IP addresses, beside Node's own check.
import { isIPv4, isIPv6 } from 'node:net'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isIpv4, isIpv6 } from '../../../src/text/ip-address.ts'

const piece = fc.constantFrom('::', ':', '.', '0', '1', 'ff', 'abcd', '10.0.0.1', '256', '12345', 'g', '1:2:3', '%')

test('addresses are those that Node takes for addresses', () => {
  const text = fc.oneof(
    fc.ipV6(),
    fc.ipV4(),
    fc.array(piece, { maxLength: 9 }).map((pieces) => pieces.join('')),
  )
  fc.assert(
    fc.property(text, (address) => {
      expect([address, isIpv6(address)]).toEqual([address, isIPv6(address.replace('%', 'x'))])
      // Node refuses leading zeros
      if (!/(^|\.)0\d/.test(address)) expect([address, isIpv4(address)]).toEqual([address, isIPv4(address)])
    }),
    { numRuns: 5000 },
  )
})
