# Completes jobs, groups, keys and their values: eval "$(gpu-pricer completion zsh)"
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
_gpu_pricer() {
    local -a found
    found=("${(@f)$("${words[1]}" completion -- "${(@)words[2,CURRENT]}" 2> /dev/null)}")
    compadd -Q -S '' -- ${(M)found:#*[=./]}
    compadd -Q -- ${found:#*[=./]}
}
compdef _gpu_pricer gpu-pricer
