// SPDX-License-Identifier: Apache-2.0
// Attempts by sockets and terminals.
import type { Attempt } from './attempt.ts'

export const sockets: Attempt[] = [
  { what: 'packets as they come (AF_PACKET; CVE-2020-14386)', words: 'packet', control: 'outside' },
  { what: 'raw IP', words: 'raw', control: 'outside' },
  {
    what: 'the hypervisor (AF_VSOCK)',
    words: 'vsock',
    control: 'outside',
    open: { unfiltered: 'a family that no namespace holds, and no capability: only a filter refuses it' },
  },
  { what: 'an abstract socket of the host (CVE-2020-15257)', words: 'abstract $abstract', control: 'outside' },
  { what: "a service on the host's loopback", words: 'loopback $port', control: 'outside' },
  { what: 'interfaces changed by netlink', words: 'link-away', control: 'outside' },
  { what: 'an interface of the host', words: 'interface $interface', control: 'outside', absent: 'ENODEV' },
]
