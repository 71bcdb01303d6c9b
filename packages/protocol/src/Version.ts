/** The version of all packages of this repository; that of package.json, which a program that was put into one file has not got. */
export const version = "0.1.0"
