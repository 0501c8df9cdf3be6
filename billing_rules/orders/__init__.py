"""From draft lines to drug orders, and everything a rule needs to know of one."""
