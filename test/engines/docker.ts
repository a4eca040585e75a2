// SPDX-License-Identifier: Apache-2.0
// What the tests of Docker share.
import { bySystemd } from './session.ts'

/** Settings of a dockerd in a session, in the form of daemon.json: without a network of its own. */
export const dockerSettings = {
  iptables: false,
  ip6tables: false,
  bridge: 'none',
  'exec-opts': [`native.cgroupdriver=${bySystemd ? 'systemd' : 'cgroupfs'}`],
}
