-- expect: fails
return pcall
