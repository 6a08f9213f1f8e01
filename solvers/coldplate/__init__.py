"""Cold plates and chip stacks with channels: conduction in solids, coolant heating up along its way."""
