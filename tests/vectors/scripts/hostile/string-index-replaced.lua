-- expect: fails
string.len = nil
return ("x"):len()
