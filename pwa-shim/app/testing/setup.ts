// A loaded machine needs time: no test fails because it is slow.

import { configure } from "@testing-library/preact";

configure({ asyncUtilTimeout: 30_000 });
