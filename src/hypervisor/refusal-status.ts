/** How the hook's process tells its launcher of a refusal: no crash of Node ends with it. */
export const refusalStatus = 77;
