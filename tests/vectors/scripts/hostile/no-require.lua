-- expect: fails
return require("os")
